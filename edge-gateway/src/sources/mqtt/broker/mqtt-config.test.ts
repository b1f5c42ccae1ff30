import { expect, it } from 'vitest';
import { MQTTS_PORT, mqttLimitsOf, mqttTlsOf, sessionBoundsOf } from './mqtt-config.ts';

const tls = { cert: 'server.pem', key: 'server.key' };

it('MQTT over TLS needs a certificate in the file; its port is that of the environment, of the file, or 8883', () => {
	expect(mqttTlsOf(undefined, undefined)).toBeUndefined();
	expect(mqttTlsOf({ tls }, undefined)).toEqual({ ...tls, port: 8883 });
	expect(mqttTlsOf({ tls: { ...tls, port: 8884 } }, undefined)).toMatchObject({ port: 8884 });
	expect(mqttTlsOf({ tls: { ...tls, port: 8884 } }, 1)).toMatchObject({ port: 1 });
	expect(mqttTlsOf({ tls }, 'off')).toBeUndefined();
	expect(() => mqttTlsOf({}, 8883)).toThrow(
		'MQTTS_PORT is 8883, but gateway.yaml has no sources.mqtt.tls with cert and key',
	);
});

it('MQTTS_PORT accepts off or a port number only', () => {
	expect(['off', '0', '8883', '65536', '-1', 'on', ''].map((text) => MQTTS_PORT.parse(text))).toEqual([
		'off',
		0,
		8883,
		undefined,
		undefined,
		undefined,
		undefined,
	]);
});

it('limits that sources.mqtt does not set keep their defaults, and sessions never exceed the journal', () => {
	expect(mqttLimitsOf()).toEqual({});
	expect(mqttLimitsOf({ connectionsPerAddress: 7 })).toEqual({ connectionsPerAddress: 7 });
	expect(sessionBoundsOf()).toEqual({});
	expect(
		sessionBoundsOf({ sessions: { expireAfter: '1d', messages: 5, maxBytes: '2KiB', maxTotalBytes: '9GiB' } }),
	).toEqual({
		expireAfterMs: 86_400_000,
		messages: 5,
		bytes: 2048,
		totalBytes: 64 * 1024 * 1024,
	});
});
