import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Bus } from '@crowdvision/bus';
import { TABLES } from '@crowdvision/contracts';
import { openServiceWorld, type ServiceWorld } from '@crowdvision/testing/service-world';
import { waitFor } from '@crowdvision/testing/wait';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { Registry } from './registry.ts';

let world: ServiceWorld;
let bus: Bus;
let path: string;
let dir: string;
beforeEach(async () => {
	world = await openServiceWorld();
	bus = world.parts.bus;
	dir = await mkdtemp(join(tmpdir(), 'crowdvision-registry-'));
	path = join(dir, 'registry');
});
afterEach(async () => {
	await world.stop();
	await rm(dir, { recursive: true });
});

const building = (id: string, ...domains: string[]) => JSON.stringify({ id, name: id, domains, rooms: [] });
const sensor = (sensorId: string) => JSON.stringify({ sensorId, buildingId: 'b1', roomId: 'hall' });

describe('the registry', () => {
	it('has what the bus retains, and follows its changes', async () => {
		await bus.retain(TABLES.buildings, 'b1', building('b1', 'acme'));
		const registry = Registry.open(path);
		expect(registry.building('b1')).toBeUndefined();
		await registry.follow(bus);
		expect(registry.building('b1')?.domains).toEqual(['acme']);
		await bus.retain(TABLES.sensors, 's', sensor('s'));
		await bus.retain(TABLES.buildings, 'b1', building('b1', 'acme', 'other'));
		await waitFor('both changes', () => registry.sensor('s') && registry.building('b1')?.domains.length === 2);
		await bus.retain(TABLES.sensors, 's', null);
		await waitFor('the sensor to go', () => registry.sensor('s') === undefined);
		await registry.close();
	});

	it('starts without a bus as it was when the gateway stopped', async () => {
		const first = Registry.open(path);
		await first.follow(bus);
		await bus.retain(TABLES.buildings, '__proto__', building('__proto__', 'acme'));
		await bus.retain(TABLES.sensors, 's', sensor('s'));
		await bus.retain(TABLES.revokedDevices, 'd', JSON.stringify({ before: 1000 }));
		await waitFor('all of it', () => first.sensor('s') && first.isRevoked('d', 1000));
		await first.close();
		const second = Registry.open(path);
		expect(second.building('__proto__')?.domains).toEqual(['acme']);
		expect(second.sensor('s')).toMatchObject({ buildingId: 'b1', roomId: 'hall' });
		expect(second.sensor('__proto__')).toBeUndefined();
		expect(second.isRevoked('d', 1000)).toBe(true);
		await second.close();
	});

	it('is on disk within a second or two, so that a killed gateway keeps it', async () => {
		const copies = await mkdtemp(join(tmpdir(), 'crowdvision-registry-copies-'));
		onTestFinished(() => rm(copies, { recursive: true }));
		let copy = 0;
		const first = Registry.open(path);
		await first.follow(bus);
		await bus.retain(TABLES.sensors, 's', sensor('s'));
		// A copy of what a kill would leave at this moment: two processes must not have the same files open.
		await waitFor('it to be on disk', async () => {
			await cp(dir, join(copies, `${++copy}`), { recursive: true, filter: (from) => !from.endsWith('.tmp') });
			return Registry.open(join(copies, `${copy}`, 'registry')).sensor('s');
		});
		await first.close();
	});

	it('is empty if both its files are damaged, and follows the bus all the same', async () => {
		const first = Registry.open(path);
		await first.follow(bus);
		await bus.retain(TABLES.sensors, 's', sensor('s'));
		await waitFor('the sensor', () => first.sensor('s'));
		await first.close();
		for (const file of [`${path}.a`, `${path}.b`]) {
			const text = await readFile(file, 'utf8').catch(() => '');
			await writeFile(file, text.replace('hall', 'hill'));
		}
		const second = Registry.open(path);
		expect(second.sensor('s')).toBeUndefined();
		await second.follow(bus);
		expect(second.sensor('s')).toMatchObject({ roomId: 'hall' });
		await second.close();
	});

	it('ignores an entry that is not JSON', async () => {
		const registry = Registry.open(path);
		await registry.follow(bus);
		await bus.retain(TABLES.sensors, 'bad', '{');
		await bus.retain(TABLES.sensors, 's', sensor('s'));
		await waitFor('the good one', () => registry.sensor('s'));
		expect(registry.sensor('bad')).toBeUndefined();
		await registry.close();
	});
});

it('the registry voids tokens issued at or before a revocation, and those without a time', async () => {
	const registry = Registry.open(path);
	await registry.follow(bus);
	await bus.retain(TABLES.revokedDevices, 'd', JSON.stringify({ before: 1000 }));
	await waitFor('the revocation', () => registry.isRevoked('d'));
	expect([999, 1000, 1001].map((issuedAt) => registry.isRevoked('d', issuedAt))).toEqual([true, true, false]);
	expect(registry.isRevoked('another', 1)).toBe(false);
	await registry.close();
});
