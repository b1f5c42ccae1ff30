import type { Answer } from '@crowdvision/contracts';
import { waitFor } from '@crowdvision/testing/wait';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDistributed, type Site } from './site.ts';
import { Tenant } from './tenant.ts';

const PATIENCE_MS = 60_000;
const questionOn = (building: string) => ({ question: `How many people are in the Board room of ${building}?` });

describe('P14 a service that was away while a building was removed', () => {
	let site: Site;
	beforeAll(async () => {
		site = await openDistributed();
	}, 180_000);
	afterAll(() => site?.stop());

	/** Ends a program. Resolves with what starts it again, and waits until it is ready. */
	async function takeAway(name: string): Promise<() => Promise<void>> {
		const program = site.programs.get(name)!;
		await program.terminate();
		return async () => {
			await program.resume();
			await waitFor(`${name} to be ready`, async () => (await fetch(readyOf(program.port))).ok, PATIENCE_MS);
		};
	}

	/** North's building with values, an alert and an answer in every service. */
	async function furnish(id: string): Promise<[north: Tenant, south: Tenant]> {
		const [north, south] = [new Tenant(site, 'north', id), new Tenant(site, 'south', id)];
		await north.make();
		await north.count(22, 3, 17);
		await waitFor('the alerts', async () => (await north.alerts()).some(({ buildingId }) => buildingId === id));
		const knows = async () => (await north.call<Answer>('POST', '/llm/ask', questionOn(id))).answer.includes('17');
		await waitFor('the answer', knows, PATIENCE_MS);
		await waitFor('the state', async () => (await north.value()) === 17, PATIENCE_MS);
		return [north, south];
	}

	/** South's building of the same id shows nothing of north's in any service, and works. */
	async function expectEmpty(id: string, north: Tenant, south: Tenant): Promise<void> {
		await waitFor('south to see its building', async () => (await south.everything()) === '[[],[],[],[]]', PATIENCE_MS);
		expect((await south.alerts()).filter(({ buildingId }) => buildingId === id)).toEqual([]);
		expect(await south.value()).toBeUndefined();
		expect((await south.call<Answer>('POST', '/llm/ask', questionOn(id))).answer).not.toMatch(/\d+ people/);
		const history = `/twin/buildings/${id}/history?metric=peopleCount&room=board&agg=count`;
		const { points } = await south.call<{ points: { value: number | null }[] }>('GET', history);
		expect(points.reduce((sum, { value }) => sum + (value ?? 0), 0)).toBe(0);
		expect(await south.call('GET', `/gateway/rooms/${id}/board/audit`)).toEqual({ changes: [], proposals: [] });
		await waitFor('the device of north to be refused', async () => (await north.send('co2', 700)) === 403, PATIENCE_MS);
		await south.count(40);
		const own = async () => (await south.alerts()).filter(({ buildingId }) => buildingId === id);
		await waitFor("south's own alert", async () => (await own()).length === 1, PATIENCE_MS);
		expect(await own()).toMatchObject([{ value: 40, domainNames: ['south'] }]);
		await waitFor('its state', async () => (await south.value()) === 40, PATIENCE_MS);
	}

	it.each(['notification', 'llm', 'socket', 'gateway'])(
		'forgets it when it comes back, made again before or after that: %s',
		{ timeout: 240_000 },
		async (name) => {
			const [before, after] = [`${name}-1`, `${name}-2`];
			const [first, second] = [await furnish(before), await furnish(after)];
			const comeBack = await takeAway(name);
			await first[0].remove();
			await second[0].remove();
			await first[1].make();
			await comeBack();
			await second[1].make();
			await expectEmpty(before, ...first);
			await expectEmpty(after, ...second);
		},
	);

	it('stores nothing under the next building that was sent for the one before: twin', {
		timeout: 240_000,
	}, async () => {
		const [north, south] = await furnish('twin-1');
		const comeBack = await takeAway('twin');
		await north.count(18, 19);
		await comeBack();
		await north.remove();
		await south.make();
		await expectEmpty('twin-1', north, south);
	});
});

const readyOf = (port: number) => `http://127.0.0.1:${port}/readyz`;
