import type { Alert, BuildingState, HistoryPoint } from '@crowdvision/contracts';
import { afterAll, describe, expect, it } from 'vitest';
import { type FromFixture, startEmbedded } from './from-fixture.ts';
import { ask, ingest, must, openMqtt, signIn } from './front-door.ts';
import { pastValue, REPEATABLE, SERIES } from './put-in.ts';

const DAY_MS = 24 * 3600_000;
const YEAR_MS = 365.25 * DAY_MS;
const SOON = { timeout: 15_000, interval: 50 };

const sites: FromFixture[] = [];
afterAll(() => Promise.all(sites.map((site) => site.stop())));
async function later(laterMs: number): Promise<FromFixture> {
	const site = await startEmbedded({ laterMs });
	sites.push(site);
	return site;
}

describe('started on the data of the version before: the embedded whole, a year later', () => {
	let site: FromFixture;
	let token: string;

	it('ends the sessions of then, and takes the passwords of then', async () => {
		site = await later(YEAR_MS);
		const { ada } = site.putIn.accounts;
		expect(await ask(site, 'GET', '/twin/buildings', ada)).toMatchObject({ status: 401 });
		token = await signIn(site, ada);
		expect(await ask(site, 'GET', '/twin/buildings', { token })).toMatchObject({ status: 200 });
	});

	it('takes the tokens of devices', async () => {
		const { gate } = site.putIn.devices;
		await ingest(site, gate.token, { sensorId: 'stray-1', metric: 'humidity', value: 44 });
	});

	it('knows what was measured last as stale, and of the past its quarter-hours', async () => {
		const { rooms } = await must<BuildingState>(site, 'GET', '/twin/buildings/lyceum/state', { token });
		expect(rooms.hall?.values.temperature).toMatchObject({ value: 21.5, stale: true, freshness: 'stale' });
		const { from, to, everyMs } = site.putIn.past;
		const query = `room=hall&metric=temperature&from=${from}&to=${to}&bucket=1h&agg=max`;
		const path = `/twin/buildings/lyceum/history?${query}`;
		const { points } = await must<{ points: HistoryPoint[] }>(site, 'GET', path, { token });
		const perHour = 3600_000 / everyMs;
		const hottest = (hour: number) =>
			Math.max(...Array.from({ length: perHour }, (_, n) => pastValue('hall temperature', hour * perHour + n)));
		expect(points.map(({ value }) => value)).toEqual(
			Array.from({ length: (to - from) / 3600_000 }, (_, hour) => hottest(hour)),
		);
	});

	it('keeps the alert open, suspended while nothing is heard, and resolves it when the room is empty', async () => {
		const { alerts, devices } = site.putIn;
		const crowded = async () => {
			const all = (await must<{ alerts: Alert[] }>(site, 'GET', '/notification/alerts', { token })).alerts;
			return all.filter(({ buildingId, kind }) => buildingId === 'lyceum' && kind === 'occupancy');
		};
		expect(await crowded()).toMatchObject([{ id: alerts.open, state: 'open', suspended: true }]);
		await ingest(site, devices.gate.token, { ...REPEATABLE, value: 0, seq: 3 });
		await expect.poll(crowded, SOON).toMatchObject([{ id: alerts.open, state: 'resolved' }]);
	});

	it('keeps what was retained', async () => {
		const { doors } = site.putIn.devices;
		const session = await openMqtt(site, doors, { clientId: 'newcomer', clean: true });
		await session.client.subscribeAsync('status/door-2', { qos: 1 });
		await expect.poll(() => session.received, SOON).toMatchObject([{ topic: 'status/door-2', retain: true }]);
		await session.close();
	});

	it('still lists what was refused, and numbers new readings after all the old ones', async () => {
		const { refusedId, stream } = site.putIn;
		const { rejected } = await must<{ rejected: { id: number }[] }>(site, 'GET', '/gateway/rejected', { token });
		expect(rejected.map(({ id }) => id)).toContain(refusedId);
		const { cursor } = await must<BuildingState>(site, 'GET', '/twin/buildings/lyceum/state', { token });
		const lastThen = Number(stream.ids.at(-1)!.split('-')[1]);
		expect(Number(cursor)).toBeGreaterThan(lastThen);
	});
});

describe('started on the data of the version before: the embedded whole, six years later', () => {
	it('takes no token of a device of then: they are good for five years', async () => {
		const site = await later(6 * YEAR_MS);
		const { gate } = site.putIn.devices;
		const reading = { ...SERIES['hall temperature'], value: 20 };
		expect(await ask(site, 'POST', '/ingest', { token: gate.token, body: reading })).toMatchObject({ status: 401 });
		expect(await signIn(site, site.putIn.accounts.ada)).toMatch(/^ey/);
	});
});
