import Type, { type Static } from 'typebox';
import { MQTT_LIMITS, type MqttLimits } from './mqtt-limits.ts';

const closed = { additionalProperties: false };

/** `sources.mqtt` of gateway.yaml. */
export const MqttConfig = Type.Object(
	{
		port: Type.Optional(Type.Integer({ minimum: 0, maximum: 65_535, description: 'port of MQTT over TCP; 0 takes a free one; default 1883' })),
		connections: Type.Optional(
			Type.Integer({ minimum: 1, maximum: 100_000, description: `most connections at once; default ${MQTT_LIMITS.connections}` }),
		),
		connectionsPerAddress: Type.Optional(
			Type.Integer({
				minimum: 1,
				maximum: 100_000,
				description: `most connections at once from one network address; default ${MQTT_LIMITS.connectionsPerAddress}`,
			}),
		),
	},
	closed,
);
export type MqttConfig = Static<typeof MqttConfig>;

/** What the file says otherwise than the house. */
export function mqttLimitsOf({ connections, connectionsPerAddress }: MqttConfig = {}): Partial<MqttLimits> {
	return { ...(connections !== undefined && { connections }), ...(connectionsPerAddress !== undefined && { connectionsPerAddress }) };
}
