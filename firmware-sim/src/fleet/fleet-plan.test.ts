import { SENSOR_ID, type Transport } from '@crowdvision/contracts';
import { describe, expect, it } from 'vitest';
import { planDevices } from './fleet-plan.ts';

const ALL: Transport[] = ['serial', 'mqtt', 'http', 'socket.io'];
const rooms = ['hall', 'lab', 'foyer', 'canteen'].map((id) => ({ id, capacity: 50 }));

describe('the plan of a fleet', () => {
	it('gives every transport a sensor in the first room, and every kind of value within four rooms', () => {
		const sensors = (count: number) =>
			planDevices({ id: 'b', rooms: rooms.slice(0, count) }, ALL).flatMap(({ transport, sensors }) =>
				sensors.map(({ kind }) => ({ transport, kind })),
			);
		expect(new Set(sensors(1).map(({ transport }) => transport))).toEqual(new Set(ALL));
		for (const transport of ALL) {
			const kinds = new Set(sensors(4).flatMap((sensor) => (sensor.transport === transport ? [sensor.kind] : [])));
			expect(
				kinds.has('climate') && kinds.has('co2') && kinds.has('noise') && (kinds.has('door') || kinds.has('camera')),
			).toBe(true);
		}
	});

	it('has one people counter per room: a door counter, the first on the serial line, or a camera', () => {
		const devices = planDevices({ id: 'b', rooms }, ALL);
		const counters = devices.flatMap((device) =>
			device.sensors.filter(({ kind }) => kind === 'door' || kind === 'camera'),
		);
		expect(counters.map(({ roomId }) => roomId).sort()).toEqual(rooms.map(({ id }) => id).sort());
		expect(new Set(counters.map(({ kind }) => kind))).toEqual(new Set(['door', 'camera']));
		expect(devices.find(({ transport }) => transport === 'serial')?.sensors[0]).toEqual({
			sensorId: 'hall-door',
			roomId: 'hall',
			kind: 'door',
		});
	});

	it('has one device for a serial line, and one per MQTT sensor', () => {
		const devices = planDevices({ id: 'b', rooms }, ALL);
		expect(devices.filter(({ transport }) => transport === 'serial')).toHaveLength(1);
		for (const { transport, sensors } of devices) if (transport === 'mqtt') expect(sensors).toHaveLength(1);
		expect(new Set(devices.map(({ deviceId }) => deviceId)).size).toBe(devices.length);
	});

	it('uses the given transports and the given assignment', () => {
		expect(new Set(planDevices({ id: 'b', rooms }, ['http']).map(({ transport }) => transport))).toEqual(
			new Set(['http']),
		);
		const assigned = planDevices({ id: 'b', rooms: rooms.slice(0, 2) }, ALL, ({ id }) =>
			id === 'hall' ? { camera: 'mqtt' } : {},
		);
		expect(assigned).toEqual([
			{
				deviceId: 'sim-mqtt-hall-camera',
				transport: 'mqtt',
				sensors: [{ sensorId: 'hall-camera', roomId: 'hall', kind: 'camera' }],
			},
		]);
		expect(() => planDevices({ id: 'b', rooms }, [])).toThrow(/at least one link/);
	});

	it('derives valid and distinct sensor ids from rooms with any name', () => {
		const odd = ['a b', 'a_b', 'a+b', 'Küche', 'x'.repeat(128), `${'x'.repeat(127)}y`].map((id) => ({
			id,
			capacity: 5,
		}));
		const ids = planDevices({ id: 'b', rooms: odd }, ALL).flatMap(({ sensors }) =>
			sensors.map(({ sensorId }) => sensorId),
		);
		expect(new Set(ids).size).toBe(odd.length * 4);
		for (const id of ids) expect(id).toMatch(new RegExp(SENSOR_ID));
	});
});
