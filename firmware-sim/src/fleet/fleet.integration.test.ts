import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { DeviceReading } from '../reading.ts';
import { type HttpPeer, httpPeer } from '../testing/http-peer.ts';
import { mqttPeer } from '../testing/mqtt-peer.ts';
import { CREDENTIALS, type Peer } from '../testing/peer.ts';
import { serialPeer } from '../testing/serial-peer.ts';
import { socketioPeer } from '../testing/socketio-peer.ts';
import { tempDir } from '../testing/temp-dir.ts';
import { type Fleet, type FleetOptions, startFleet } from './fleet.ts';

const MORNING = Date.UTC(2026, 10, 23, 10);
const building = {
	id: 'demo',
	rooms: [
		{ id: 'hall', capacity: 60 },
		{ id: 'lab', capacity: 30 },
	],
};

describe('a fleet', () => {
	it('sends live values over all four transports, each numbered without a gap and acknowledged once', async () => {
		const peers = {
			serial: await serialPeer(),
			mqtt: await mqttPeer(),
			http: await httpPeer(),
			socketio: await socketioPeer(),
		};
		for (const peer of Object.values(peers)) onTestFinished(() => peer.close());
		const requested: string[][] = [];
		const acknowledged: DeviceReading[] = [];
		const fleet = await aFleet({
			links: {
				serial: { path: peers.serial.modem.a },
				mqtt: { url: peers.mqtt.broker.url },
				http: { url: peers.http.url },
				socketio: { url: peers.socketio.url },
			},
			credentials: (deviceId, sensorIds) => {
				requested.push([deviceId, ...sensorIds]);
				return { ...CREDENTIALS, deviceId };
			},
			intervalMs: 40,
			onAcknowledged: (reading) => acknowledged.push(reading),
		});
		await vi.waitFor(() => expect(fleet.stats().acknowledged).toBeGreaterThan(150), { timeout: 30_000 });
		fleet.pause();
		expect(await fleet.drained(30_000)).toBe(true);
		const { produced, acknowledged: count, refused, overwritten, pending } = fleet.stats();
		expect({ acknowledged: count, refused, overwritten, pending }).toEqual({
			acknowledged: produced,
			refused: 0,
			overwritten: 0,
			pending: 0,
		});
		expect(acknowledged).toHaveLength(produced);

		for (const peer of Object.values<Peer>(peers))
			await vi.waitFor(() => expect(peer.accepted.length).toBeGreaterThan(10), { timeout: 10_000 });
		expect(requested.map(([deviceId]) => deviceId).sort()).toEqual(
			fleet.devices.flatMap(({ name, transport }) => (transport === 'serial' ? [] : [name])).sort(),
		);
		expect(requested).toContainEqual(['sim-mqtt-hall-climate', 'hall-climate']);

		const numbers = Map.groupBy(acknowledged, (reading) =>
			reading.sensorId.endsWith('door') || reading.sensorId === 'lab-noise' ? 'line' : reading.sensorId,
		);
		for (const [source, readings] of numbers) {
			if (source !== 'line')
				expect(readings.map(({ seq }) => seq).sort((a, b) => a - b)).toEqual(readings.map((_, index) => index));
		}
		expect(new Set(acknowledged.map(({ boot }) => boot)).size).toBe(1);
	});

	it('numbers all sensors of a serial line in one sequence, because an ACK there names only the number', async () => {
		const peer = await serialPeer();
		onTestFinished(() => peer.close());
		const fleet = await aFleet({ links: { serial: { path: peer.modem.a } } });
		for (let turn = 0; turn < 5; turn++) fleet.sample();
		expect(await fleet.drained(20_000)).toBe(true);
		expect(peer.accepted.map(({ seq }) => seq)).toEqual(peer.accepted.map((_, index) => index));
		expect(new Set(peer.accepted.map(({ sensorId }) => sensorId)).size).toBe(8);
	});

	it('sends the same readings for the same seed and clock', async () => {
		const runs: DeviceReading[][] = [];
		for (const seed of [7, 7, 8]) {
			const { fleet, peer, tick } = await overHttp({ seed, boot: 'b' });
			for (let turn = 0; turn < 20; turn++) {
				fleet.sample();
				tick(60_000);
			}
			expect(await fleet.drained(20_000)).toBe(true);
			runs.push(peer.accepted.toSorted((a, b) => a.sensorId.localeCompare(b.sensorId) || a.seq - b.seq));
		}
		expect(runs[0]).toEqual(runs[1]);
		expect(runs[0]).not.toEqual(runs[2]);
	});

	it('crowds a room beyond its capacity, whether doors or a camera count its people', async () => {
		const { fleet, peer, tick } = await overHttp({});
		fleet.sample();
		fleet.crowd('hall', 75);
		fleet.crowd('lab', 40);
		tick(1000);
		fleet.sample();
		expect(fleet.room('hall').people).toBe(75);
		expect(await fleet.drained(20_000)).toBe(true);
		expect(counted(peer, 'hall-door')).toBe(75);
		expect(lastOf(peer, 'lab-camera')?.value).toBe(40);
		fleet.crowd('hall');
		tick(3_600_000);
		fleet.sample();
		expect(await fleet.drained(20_000)).toBe(true);
		expect(counted(peer, 'hall-door')).toBe(fleet.room('hall').people);
		expect(fleet.room('hall').people).toBeLessThanOrEqual(60);
		expect(() => fleet.crowd('attic', 3)).toThrow(/no room "attic"/);
	});

	it('keeps its counts through a restart, with a new boot id, and does not count everybody in again', async () => {
		const flashFile = join(await tempDir(), 'flash.json');
		const peer = await httpPeer();
		onTestFinished(() => peer.close());
		for (const [start, people] of [60, 45, 50].entries()) {
			const fleet = await aFleet({
				links: { http: { url: peer.url } },
				flashFile,
				clock: () => MORNING + start * 600_000,
			});
			fleet.crowd('hall', people);
			fleet.sample();
			expect(await fleet.drained(20_000)).toBe(true);
			await fleet.stop();
			expect(counted(peer, 'hall-door')).toBe(people);
		}
		expect(new Set(peer.accepted.map(({ boot }) => boot)).size).toBe(3);
	});

	it('lets the building live faster with speed, while the readings have the time of the clock', async () => {
		const { fleet, peer, tick } = await overHttp({ speed: 3600 });
		fleet.sample();
		tick(11_000);
		fleet.sample();
		expect(await fleet.drained(20_000)).toBe(true);
		// Ten in the morning, and eleven hours later.
		expect(fleet.room('hall').people).toBe(0);
		expect(lastOf(peer, 'hall-co2')?.observedAt).toBe(MORNING + 11_000);
		expect(lastOf(peer, 'hall-co2')?.value).toBeLessThan(460);
	});

	it('floods, and sends times in 1970, with those faults', async () => {
		const { fleet, peer } = await overHttp({ faults: ['flood:1', 'clock-1970:1'], rooms: 1 });
		const produced = fleet.sample();
		expect(produced).toBeGreaterThan(200);
		expect(await fleet.drained(30_000)).toBe(true);
		expect(peer.accepted).toHaveLength(produced);
		for (const { observedAt } of peer.accepted) expect(observedAt ?? 0).toBeLessThan(Date.UTC(1971, 0));
		expect(fleet.stats().faults).toEqual({ flood: 1, 'clock-1970': produced });
	});

	it('ends after exactly the requested number of readings', async () => {
		const { fleet, peer } = await overHttp({ count: 17, intervalMs: 5 });
		await vi.waitFor(() => expect(fleet.stats().produced).toBe(17), { timeout: 10_000 });
		expect(fleet.sample()).toBe(0);
		expect(await fleet.drained(20_000)).toBe(true);
		expect(peer.accepted).toHaveLength(17);
	});

	it('rejects options that it cannot fulfil, and says what is allowed', async () => {
		const links = { http: { url: 'http://127.0.0.1:1' } };
		await expect(aFleet({ links: {} })).rejects.toThrow(/at least one link/);
		await expect(aFleet({ links, faults: ['gremlins'] })).rejects.toThrow(/must be one of drop/);
		await expect(aFleet({ links, assign: () => ({ co2: 'mqtt' }) })).rejects.toThrow(
			'hall-co2 should use mqtt, but there is no link for it',
		);
	});
});

async function aFleet(options: Partial<FleetOptions> & Pick<FleetOptions, 'links'>): Promise<Fleet> {
	const fleet = await startFleet({
		seed: 7,
		building,
		credentials: () => CREDENTIALS,
		intervalMs: 0,
		retry: { firstMs: 20, longestMs: 200 },
		...options,
	});
	onTestFinished(() => fleet.stop());
	return fleet;
}

/** A fleet that speaks HTTP only, at ten in the morning of a clock that is moved by hand. */
async function overHttp({ rooms = 2, ...options }: Partial<FleetOptions> & { rooms?: number }) {
	const peer = await httpPeer();
	onTestFinished(() => peer.close());
	let now = MORNING;
	const links = { http: { url: peer.url } };
	const plan = { ...building, rooms: building.rooms.slice(0, rooms) };
	const fleet = await aFleet({ links, clock: () => now, building: plan, ...options });
	const tick = (ms: number) => {
		now += ms;
	};
	return { fleet, peer, tick };
}

const lastOf = (peer: HttpPeer, sensorId: string) =>
	peer.accepted
		.filter((reading) => reading.sensorId === sensorId)
		.reduce<DeviceReading | undefined>((last, one) => (last && last.seq > one.seq ? last : one), undefined);

/** What a gateway makes of a door counter's crossings. */
const counted = (peer: HttpPeer, sensorId: string) =>
	peer.accepted
		.filter((reading) => reading.sensorId === sensorId)
		.reduce((count, { metric, value }) => count + (metric === 'peopleIn' ? value : -value), 0);
