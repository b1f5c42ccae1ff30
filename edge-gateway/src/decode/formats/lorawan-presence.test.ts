import { describe, expect, it } from 'vitest';
import { message } from '../../testing/messages.ts';
import { type Decoder, type Decoding, stateless } from '../message/decoder.ts';
import { decodeChirpstack } from './chirpstack.ts';
import { SensorsBehindGateways, withLorawanPresence } from './lorawan-presence.ts';
import { decodeTheThingsStack } from './the-things-stack.ts';

const DEVICE = '0101010101010101';
const uplink = (gateways: string[]) => ({
	deviceInfo: { devEui: DEVICE },
	rxInfo: gateways.map((gatewayId) => ({ gatewayId })),
	object: { temperature: 20 },
});
const ttn = (gateways: string[]) => ({
	end_device_ids: { device_id: 'dev1' },
	uplink_message: {
		rx_metadata: gateways.map((gateway_id) => ({ gateway_ids: { gateway_id } })),
		decoded_payload: { temperature: 20 },
	},
});
const UP = `application/1/device/${DEVICE}/event/up`;
const conn = (id: string) => `eu868/gateway/${id}/state/conn`;
const sensors = (state: string, ids: string[], below = false) => ({ state, of: { kind: 'sensor', ids, below } });
const event = (name: string, id: string) => ({ name, identifiers: [{ gateway_ids: { gateway_id: id } }] });

function open() {
	const behind = new SensorsBehindGateways();
	const chirpstack = withLorawanPresence(stateless(decodeChirpstack), behind);
	const theThingsStack = withLorawanPresence(stateless(decodeTheThingsStack), behind);
	const take = (decoder: Decoder, topic: string, body: object) => decoder.decode(message(topic, body)) as Decoding;
	return {
		chirpstack: (topic: string, body: object) => take(chirpstack, topic, body),
		ttn: (topic: string, body: object) => take(theThingsStack, topic, body),
	};
}

describe('P13 right in meaning: the status that a LoRaWAN network server reports', () => {
	it('takes the devices offline that only a gateway received which is gone, and back online with it', () => {
		const { chirpstack } = open();
		expect(chirpstack(UP, uplink(['roof']))).toHaveLength(1);
		expect(chirpstack(conn('roof'), { gatewayId: 'roof', state: 'OFFLINE' })).toEqual(sensors('offline', [DEVICE]));
		expect(chirpstack(conn('roof'), { gatewayId: 'roof', state: 'ONLINE' })).toEqual(sensors('online', [DEVICE]));
	});

	it('leaves those online that another gateway received too, until that is gone as well', () => {
		const { chirpstack } = open();
		chirpstack(UP, uplink(['roof', 'cellar']));
		expect(chirpstack(conn('roof'), { gatewayID: 'roof', state: 'OFFLINE' })).toEqual(sensors('offline', []));
		expect(chirpstack(conn('cellar'), { state: 'OFFLINE' })).toEqual(sensors('offline', [DEVICE]));
		// A gateway that passes on an uplink is there.
		chirpstack(UP, uplink(['roof', 'cellar']));
		expect(chirpstack(conn('cellar'), { state: 'OFFLINE' })).toEqual(sensors('offline', []));
	});

	it('is read from the events of The Things Stack as well', () => {
		const { ttn: take } = open();
		expect(take('v3/app/devices/dev1/up', ttn(['roof']))).toHaveLength(1);
		expect(take('events', event('gs.gateway.disconnect', 'roof'))).toEqual(sensors('offline', ['dev1']));
		expect(take('events', event('gs.gateway.connect', 'roof'))).toEqual(sensors('online', ['dev1']));
		expect(take('events', event('gs.gateway.disconnect', 'other'))).toEqual(sensors('offline', []));
		expect(take('events', { name: 'constructor' })).toBe('not_telemetry');
	});

	it('takes a device that joins online', () => {
		const { chirpstack, ttn: take } = open();
		const joined = { deviceInfo: { devEui: DEVICE }, devAddr: '00189440' };
		expect(chirpstack(`application/1/device/${DEVICE}/event/join`, joined)).toEqual(sensors('online', [DEVICE], true));
		const accepted = { end_device_ids: { device_id: 'dev1' }, join_accept: { received_at: '2026-11-28T12:00:00Z' } };
		expect(take('v3/app/devices/dev1/join', accepted)).toEqual(sensors('online', ['dev1'], true));
	});

	it('leaves to the decoder what is neither', () => {
		const { chirpstack } = open();
		expect(chirpstack(`application/1/device/${DEVICE}/event/log`, { state: 'OFFLINE' })).toBe('not_telemetry');
		expect(chirpstack(`application/1/device/${DEVICE}/event/txack`, {})).toBe('not_telemetry');
	});
});
