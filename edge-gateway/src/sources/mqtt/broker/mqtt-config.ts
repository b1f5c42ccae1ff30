import { type Setting, SettingsError } from '@crowdvision/service-kit';
import Type, { type Static } from 'typebox';
import { bytes, Duration, milliseconds, Size } from '../../../measures.ts';
import { MQTT_LIMITS, type MqttLimits } from '../connection/limits.ts';
import { MESSAGE_COST, SESSION_BOUNDS, type SessionBounds } from '../sessions/session-bounds.ts';

const closed = { additionalProperties: false };

/** `MQTTS_PORT`. */
export const MQTTS_PORT: Setting<number | 'off'> & { default: 'off' } = {
	means: 'port of MQTT over TLS, with the certificate of sources.mqtt.tls in gateway.yaml; 0 takes a free one',
	default: 'off',
	allowed: 'off or a whole number from 0 to 65535',
	parse: (text) =>
		text === 'off' ? text : /^\d{1,5}$/.test(text) && Number(text) <= 65_535 ? Number(text) : undefined,
};

/** `sources.mqtt` of gateway.yaml. */
export const MqttConfig = Type.Object(
	{
		port: Type.Optional(
			Type.Integer({
				minimum: 0,
				maximum: 65_535,
				description: 'port of MQTT over TCP; 0 takes a free one; default 1883',
			}),
		),
		tls: Type.Optional(
			Type.Object(
				{
					port: Type.Optional(
						Type.Integer({
							minimum: 0,
							maximum: 65_535,
							description: 'port of MQTT over TLS; 0 takes a free one; default 8883',
						}),
					),
					cert: Type.String({
						minLength: 1,
						description: 'file with the certificate and its chain (PEM); read again when it changes',
					}),
					key: Type.String({
						minLength: 1,
						description: 'file with the private key (PEM) of cert; readable by its owner only',
					}),
					ca: Type.Optional(
						Type.String({
							minLength: 1,
							description:
								'file with the authorities (PEM) that must have signed the certificate that each client then needs',
						}),
					),
				},
				{ ...closed, description: 'MQTT over TLS, beside MQTT over TCP' },
			),
		),
		sessions: Type.Optional(
			Type.Object(
				{
					expireAfter: Type.Optional({
						...Duration,
						description: 'how long a session is kept while its client is away; default 7d',
					}),
					messages: Type.Optional(
						Type.Integer({
							minimum: 1,
							maximum: 1_000_000,
							description: `most messages that wait for one session; default ${SESSION_BOUNDS.messages}`,
						}),
					),
					maxBytes: Type.Optional({ ...Size, description: 'most that waits for one session; default 1MiB' }),
					maxTotalBytes: Type.Optional({
						...Size,
						description: `most that waits for all sessions together, each message with ${MESSAGE_COST} bytes on top, up to 64MiB; default 64MiB`,
					}),
				},
				{ ...closed, description: 'what is kept, on disk, for clients with clean session 0' },
			),
		),
		connections: Type.Optional(
			Type.Integer({
				minimum: 1,
				maximum: 100_000,
				description: `most connections at once; default ${MQTT_LIMITS.connections}`,
			}),
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

/** MQTT over TLS, ready to be listened for. */
export type MqttTls = NonNullable<MqttConfig['tls']> & { port: number };

/**
 * TLS as the file and `MQTTS_PORT` (a port, `off`, or undefined where it is not set) say together.
 * @throws SettingsError for a port without a certificate.
 */
export function mqttTlsOf({ tls }: MqttConfig = {}, port: number | 'off' | undefined): MqttTls | undefined {
	if (port === 'off') return undefined;
	if (!tls && port !== undefined)
		throw new SettingsError(`MQTTS_PORT is ${port}, but gateway.yaml has no sources.mqtt.tls with cert and key`);
	return tls && { ...tls, port: port ?? tls.port ?? 8883 };
}

/** What the file says otherwise than the house. */
export function mqttLimitsOf({ connections, connectionsPerAddress }: MqttConfig = {}): Partial<MqttLimits> {
	return {
		...(connections !== undefined && { connections }),
		...(connectionsPerAddress !== undefined && { connectionsPerAddress }),
	};
}

export function sessionBoundsOf({ sessions = {} }: MqttConfig = {}): Partial<SessionBounds> {
	const { expireAfter, messages, maxBytes, maxTotalBytes } = sessions;
	return {
		...(expireAfter !== undefined && { expireAfterMs: milliseconds(expireAfter) }),
		...(messages !== undefined && { messages }),
		...(maxBytes !== undefined && { bytes: bytes(maxBytes) }),
		// The journal has room for so much.
		...(maxTotalBytes !== undefined && { totalBytes: Math.min(bytes(maxTotalBytes), SESSION_BOUNDS.totalBytes) }),
	};
}
