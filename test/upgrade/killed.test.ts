import type { HistoryPoint } from '@crowdvision/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Contents, contents, type FromFixture, startEmbedded } from './from-fixture.ts';
import { ingest, must, openDashboard } from './front-door.ts';
import { SERIES } from './put-in.ts';

const SOON = { timeout: 15_000, interval: 50 };

describe('started on what a kill -9 left of the version before: the embedded whole, a minute later', () => {
	let site: FromFixture;
	let killed: Contents['killed'];
	beforeAll(async () => {
		({ killed } = await contents());
		site = await startEmbedded({ killed: true });
	});
	afterAll(() => site?.stop());

	it('has every acknowledged reading in the history once', async () => {
		const { acknowledged } = killed;
		const [from, to] = [acknowledged[0]!.observedAt, acknowledged.at(-1)!.observedAt + 1];
		const history = async (aggregate: string, bucket: string) => {
			const query = `room=hall&metric=temperature&from=${from}&to=${to}&bucket=${bucket}&agg=${aggregate}`;
			const path = `/twin/buildings/lyceum/history?${query}`;
			const { points } = await must<{ points: HistoryPoint[] }>(site, 'GET', path, site.putIn.accounts.ada);
			return points.map(({ value }) => value ?? 0);
		};
		const count = async () => (await history('count', '1h')).reduce((sum, value) => sum + value, 0);
		await expect.poll(count, SOON).toBe(acknowledged.length);
		expect(await history('last', '1h')).toContain(acknowledged.at(-1)!.value);
	});

	it('gives a dashboard that was there before each of them once, and new ones under new ids', async () => {
		const { putIn } = site;
		const { token } = putIn.accounts.ada;
		const dashboard = await openDashboard(site, { token, buildingId: 'lyceum', cursor: putIn.stream.after });
		const sent = { ...SERIES['hall temperature'], value: 25.5 };
		await ingest(site, putIn.devices.gate.token, sent);
		await expect.poll(() => dashboard.readings.at(-1), SOON).toMatchObject(sent);
		dashboard.close();
		const since = killed.acknowledged[0]!.observedAt;
		const values = dashboard.readings.filter(({ observedAt }) => observedAt >= since).map(({ value }) => value);
		expect(values).toEqual([...killed.acknowledged.map(({ value }) => value), sent.value]);
		const ids = dashboard.readings.map(({ id }) => id);
		expect(ids.slice(0, putIn.stream.ids.length)).toEqual(putIn.stream.ids);
		expect(new Set(ids).size).toBe(ids.length);
	});
});
