/** The schema of `sources.mqtt` in gateway.yaml. */
import { type Setting, SettingsError } from '@crowdvision/service-kit';
import Type, { type Static } from 'typebox';
import { bytes, Duration, durationText, milliseconds, Size, sizeText } from '../../../measures.ts';
import { filled, option } from '../../../options.ts';
import { MQTT_LIMITS, type MqttLimits } from '../connection/limits.ts';
import { MESSAGE_COST, SESSION_BOUNDS, type SessionBounds } from '../sessions/session-bounds.ts';

const closed = { additionalProperties: false };

/** The environment variable `MQTTS_PORT`. */
export const MQTTS_PORT: Setting<number | 'off'> & { default: 'off' } = {
	means: 'port of MQTT over TLS, with the certificate of sources.mqtt.tls in gateway.yaml; 0 chooses a free port',
	default: 'off',
	allowed: 'off or a whole number from 0 to 65535',
	parse: (text) =>
		text === 'off' ? text : /^\d{1,5}$/.test(text) && Number(text) <= 65_535 ? Number(text) : undefined,
};

const TlsConfig = Type.Object(
	{
		port: option(Type.Integer({ minimum: 0, maximum: 65_535 }), 8883, 'port of MQTT over TLS; 0 chooses a free port'),
		cert: Type.String({
			minLength: 1,
			description: 'file with the certificate and its chain (PEM); read again when it changes',
		}),
		key: Type.String({
			minLength: 1,
			description: 'file with the private key of cert (PEM); only its owner should be able to read it',
		}),
		ca: Type.Optional(
			Type.String({
				minLength: 1,
				description:
					'file with certificate authorities (PEM); each client then needs a certificate signed by one of them',
			}),
		),
	},
	{ ...closed, description: 'MQTT over TLS, in addition to MQTT over TCP' },
);

/** `sources.mqtt` of gateway.yaml. */
export const MqttConfig = Type.Object(
	{
		port: option(Type.Integer({ minimum: 0, maximum: 65_535 }), 1883, 'port of MQTT over TCP; 0 chooses a free port'),
		tls: Type.Optional(TlsConfig),
		sessions: Type.Optional(
			Type.Object(
				{
					expireAfter: option(
						Duration,
						durationText(SESSION_BOUNDS.expireAfterMs),
						'how long a session lasts while its client is away',
					),
					messages: option(
						Type.Integer({ minimum: 1, maximum: 1_000_000 }),
						SESSION_BOUNDS.messages,
						'most messages that wait in one session',
					),
					maxBytes: option(Size, sizeText(SESSION_BOUNDS.bytes), 'most bytes that wait in one session'),
					maxTotalBytes: option(
						Size,
						sizeText(SESSION_BOUNDS.totalBytes),
						`most bytes that wait in all sessions together, at most ${sizeText(SESSION_BOUNDS.totalBytes)}; each ` +
							`message counts ${MESSAGE_COST} bytes more than its content`,
					),
				},
				{ ...closed, description: 'limits of sessions, which are stored for clients with clean session 0' },
			),
		),
		connections: option(
			Type.Integer({ minimum: 1, maximum: 100_000 }),
			MQTT_LIMITS.connections,
			'most connections at once',
		),
		connectionsPerAddress: option(
			Type.Integer({ minimum: 1, maximum: 100_000 }),
			MQTT_LIMITS.connectionsPerAddress,
			'most connections at once from one network address',
		),
	},
	closed,
);
export type MqttConfig = Static<typeof MqttConfig>;

/** Settings of MQTT over TLS, with its port. */
export type MqttTls = NonNullable<MqttConfig['tls']> & { port: number };

/**
 * Combines `sources.mqtt.tls` with `MQTTS_PORT`, which is undefined when it is not set. Undefined when TLS is off.
 * @throws SettingsError for a port without a certificate
 */
export function mqttTlsOf({ tls }: MqttConfig = {}, port: number | 'off' | undefined): MqttTls | undefined {
	if (port === 'off') return undefined;
	if (!tls && port !== undefined)
		throw new SettingsError(`MQTTS_PORT is ${port}, but gateway.yaml has no sources.mqtt.tls with cert and key`);
	return tls && { ...tls, port: port ?? filled(TlsConfig, tls).port };
}

/** The limits in `sources.mqtt` that replace those of MQTT_LIMITS. */
export function mqttLimitsOf({ connections, connectionsPerAddress }: MqttConfig = {}): Partial<MqttLimits> {
	return {
		...(connections !== undefined && { connections }),
		...(connectionsPerAddress !== undefined && { connectionsPerAddress }),
	};
}

/** The bounds in `sources.mqtt.sessions` that replace those of SESSION_BOUNDS. */
export function sessionBoundsOf({ sessions = {} }: MqttConfig = {}): Partial<SessionBounds> {
	const { expireAfter, messages, maxBytes, maxTotalBytes } = sessions;
	return {
		...(expireAfter !== undefined && { expireAfterMs: milliseconds(expireAfter) }),
		...(messages !== undefined && { messages }),
		...(maxBytes !== undefined && { bytes: bytes(maxBytes) }),
		// The journal on disk has no room for more.
		...(maxTotalBytes !== undefined && { totalBytes: Math.min(bytes(maxTotalBytes), SESSION_BOUNDS.totalBytes) }),
	};
}
