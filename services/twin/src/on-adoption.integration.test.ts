import { type RetainedAdoption, type RetainedSensor, TABLES } from '@crowdvision/contracts';
import { waitFor } from '@crowdvision/testing/wait';
import { beforeEach, describe, expect, it } from 'vitest';
import { admin, onEachEngine, serveTwin, twin, upload, useTwin, world } from './testing/museum.ts';

const HALL = { buildingId: 'museum-1', roomId: 'hall' };

const sensors = async () =>
	(
		await twin.call<{ sensors: { sensorId: string; roomId: string }[] }>('GET', '/buildings/museum-1/sensors', {
			token: admin,
		})
	).body.sensors;
const register = (sensorId: string, roomId = 'hall') =>
	twin.call('POST', '/buildings/museum-1/sensors', { token: admin, body: { sensorId, roomId } });

/** The entries of a table on the bus, by key. */
async function retained<T>(table: typeof TABLES.adoptions | typeof TABLES.sensors): Promise<Record<string, T>> {
	const found: Record<string, T> = {};
	const watch = await world.parts.bus.watch(table, (key, value) => {
		if (value !== null) found[key] = JSON.parse(value) as T;
	});
	await watch.close();
	return found;
}

function adopt(sensorId: string, more: Partial<RetainedAdoption> = {}): Promise<void> {
	const adoption: RetainedAdoption = { sensorId, ...HALL, gatewayId: 'pi', at: 1, ...more };
	return world.parts.bus.retain(TABLES.adoptions, sensorId, JSON.stringify(adoption));
}
const refused = (sensorId: string) =>
	waitFor(
		`the refusal of ${sensorId}`,
		async () => (await retained<RetainedAdoption>(TABLES.adoptions))[sensorId]?.refused,
	);

onEachEngine((mongoUrl) => {
	useTwin(mongoUrl);

	describe('a sensor that was adopted at a gateway', () => {
		beforeEach(() => upload());

		it('is registered and announced, also when twin was not running at the time', async () => {
			await adopt('door-9');
			await waitFor('the registration of door-9', async () =>
				(await sensors()).some(({ sensorId }) => sensorId === 'door-9'),
			);
			expect((await retained<RetainedSensor>(TABLES.sensors))['door-9']).toEqual({ sensorId: 'door-9', ...HALL });
			await twin.close();
			await adopt('door-10', { roomId: 'attic' });
			await serveTwin();
			await waitFor('the registration of door-10', async () =>
				(await sensors()).some(({ sensorId, roomId }) => sensorId === 'door-10' && roomId === 'attic'),
			);
		});

		it('stays in the room where it is registered, however often its gateway repeats the adoption', async () => {
			await register('door-9', 'attic');
			await adopt('door-9');
			await adopt('door-10');
			await waitFor('the last adoption', async () => (await sensors()).length === 2);
			expect(await sensors()).toEqual([
				{ sensorId: 'door-10', roomId: 'hall' },
				{ sensorId: 'door-9', roomId: 'attic' },
			]);
		});

		it('is refused with the reason when its building or room does not exist', async () => {
			await adopt('door-9', { roomId: 'cellar' });
			expect(await refused('door-9')).toContain('/roomId');
			await adopt('door-10', { buildingId: 'nowhere' });
			expect(await refused('door-10')).toContain('building');
			expect(await sensors()).toEqual([]);
		});

		it('replaces another sensor once, and only in the room of the adoption', async () => {
			await register('old');
			await adopt('new', { replaces: 'old' });
			await waitFor('the exchange', async () => (await retained<RetainedSensor>(TABLES.sensors)).old === undefined);
			expect(await sensors()).toEqual([{ sensorId: 'new', roomId: 'hall' }]);
			// The old sensor is repaired and registered in another room before the gateway repeats the adoption.
			await register('old', 'attic');
			await adopt('new', { replaces: 'old' });
			await adopt('last');
			await waitFor('the last adoption', async () => (await sensors()).length === 3);
			expect(await sensors()).toEqual(expect.arrayContaining([{ sensorId: 'old', roomId: 'attic' }]));
		});
	});
});
