import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Alert } from '@crowdvision/contracts';
import { TRANSPORTS } from '@crowdvision/contracts';
import { killsOf, seedOf } from '@crowdvision/testing/fault-parameters';
import { waitFor } from '@crowdvision/testing/wait';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chanceOf, sleep } from './chance.ts';
import { type GatewayProcess, prepareGateway } from './gateway-process.ts';
import { type Acknowledged, BUILDING, type Load, startLoad } from './load.ts';

/** Two in five of what the gateway alone has to stand, and enough for a breach in each room. */
const KILLS = killsOf(0.4, 6);
const SEED = seedOf(3);
const TELL_EVERY = 25;
/** One with a door counter on the serial line, one with a camera over MQTT. */
const CROWDED = ['hall', 'lab'];
const FEW = 5;

describe('P1 Acked is durable, effectively once: everything in one process, killed -9 under load', () => {
	let all: GatewayProcess;
	let load: Load;
	let token: string;

	beforeAll(async () => {
		all = await prepareGateway({ entry: 'standalone.ts', env: { DEMO: '0' } });
		await all.start();
		token = await all.tokens.signAccount({
			id: 'operator',
			name: 'Ada',
			memberships: [{ domainName: 'works', role: 'business_admin' }],
		});
		const rooms = BUILDING.rooms.map((room, x) => ({
			...room,
			position: { x: 10 * x, y: 0, z: 0 },
			dimensions: { width: 5, height: 3, depth: 5 },
		}));
		const answer = await request('POST', '/twin/buildings', { id: BUILDING.id, domains: ['works'], rooms });
		expect(answer.status).toBe(201);
		load = await startLoad({ seed: SEED, gateway: all });
		for (const { id } of BUILDING.rooms) load.fleet.crowd(id, FEW);
	});
	afterAll(async () => {
		await load?.stop();
		await all?.close();
	});

	function request(method: string, path: string, body?: unknown): Promise<Response> {
		const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
		return fetch(`${all.url}${path}`, {
			method,
			headers,
			signal: AbortSignal.timeout(10_000),
			...(body !== undefined && { body: JSON.stringify(body) }),
		});
	}

	/** Whether a room's newest alert is as it should be; what was before the first breach counts as clear. */
	async function alarmed(roomId: string, wanted: boolean): Promise<boolean> {
		const { alerts } = (await (await request('GET', '/notification/alerts')).json()) as { alerts: Alert[] };
		const open = alerts.filter((alert) => alert.roomId === roomId && alert.state === 'open');
		return open.length === (wanted ? 1 : 0);
	}

	it(
		`keeps every acknowledged reading in history exactly once, and one alert per breach, through ${KILLS} kills`,
		async () => {
			const chance = chanceOf(SEED);
			const breaches: Record<string, number> = Object.fromEntries(CROWDED.map((roomId) => [roomId, 0]));
			let before = load.counts();
			let recognized = 0;
			for (let kill = 1; kill <= KILLS; kill++) {
				await load.flowing(before);
				const roomId = CROWDED[Math.floor(kill / 2) % CROWDED.length]!;
				const crowd = kill % 2 === 0;
				const { capacity } = BUILDING.rooms.find(({ id }) => id === roomId)!;
				load.fleet.crowd(roomId, crowd ? capacity + 10 : FEW);
				if (crowd) breaches[roomId]!++;
				// The kill falls before, into or after the alert.
				await sleep(chance() * 200);
				recognized += await all.metric('gateway_readings_duplicate_total');
				await sleep(chance() * 40);
				await all.kill();
				before = load.counts();
				await all.start();
				await waitFor(
					`the alert of ${roomId} to be ${crowd ? 'open' : 'resolved'}`,
					() => alarmed(roomId, crowd),
					30_000,
				);
				if (kill % TELL_EVERY === 0) process.stdout.write(`${kill} kills: ${load.acknowledged.size} acknowledged\n`);
			}
			await load.flowing(before);
			for (const roomId of CROWDED) {
				load.fleet.crowd(roomId, FEW);
				await waitFor(`the alert of ${roomId} to be resolved`, () => alarmed(roomId, false), 30_000);
			}
			await load.drain();
			const wanted = load.acknowledged.size;
			await waitFor('twin to have taken everything in', () => historyOf(all.dataDir).length >= wanted, 60_000);
			expect(await all.metric('gateway_ledger_imbalance')).toBe(0);
			expect(await countedByTwin()).toBe(wanted);
			expect(await all.stop()).toBe(0);

			const problems = compare(load.acknowledged, historyOf(all.dataDir));
			const { produced, resent, refused, overwritten } = load.fleet.stats();
			const alerts = alertsOf(all.dataDir);
			process.stdout.write(
				`${KILLS} kills of the whole: acknowledged ${JSON.stringify(load.counts())}, ${JSON.stringify(problems)}, ` +
					`sent again ${resent}, recognized ${recognized}, alerts ${alerts.length}\n`,
			);
			expect(problems).toEqual({ lost: [], twice: [], foreign: [] });
			expect({ wanted, refused, overwritten }).toEqual({ wanted: produced, refused: 0, overwritten: 0 });
			for (const transport of TRANSPORTS) expect(load.counts()[transport], transport).toBeGreaterThan(KILLS);
			expect(resent).toBeGreaterThan(KILLS);
			for (const roomId of CROWDED) {
				expect(breaches[roomId], roomId).toBeGreaterThan(0);
				expect(
					alerts.filter(({ room }) => room === roomId),
					roomId,
				).toEqual(Array.from({ length: breaches[roomId]! }, () => ({ room: roomId, state: 'resolved' })));
			}
			expect(alerts).toHaveLength(Object.values(breaches).reduce((sum, one) => sum + one, 0));
		},
		180_000 + KILLS * 15_000,
	);

	/** What the outside is told of how much there is. */
	async function countedByTwin(): Promise<number> {
		const metrics = new Set([...load.acknowledged.values()].map(({ metric }) => storedMetric(metric)));
		let sum = 0;
		for (const { id } of BUILDING.rooms) {
			for (const metric of metrics) {
				const answer = await request(
					'GET',
					`/twin/buildings/${BUILDING.id}/history?room=${id}&metric=${metric}&agg=count&bucket=1h`,
				);
				const { points } = (await answer.json()) as { points: { value: number }[] };
				for (const { value } of points) sum += value;
			}
		}
		return sum;
	}
});

interface Row {
	sensorId: string;
	metric: string;
	value: number;
	observedAt: number;
}

/** Everything in twin's history; readable also while twin writes. */
function historyOf(dataDir: string): Row[] {
	const query = `SELECT sensor AS sensorId, metric, readings.value AS value, readings.observed_at AS observedAt
		FROM readings JOIN series ON series.key = readings.series`;
	return all<Row>(join(dataDir, 'twin.sqlite'), query);
}

function alertsOf(dataDir: string): { room: string; state: string }[] {
	// As packages/store lays collections out: a table each, of JSON documents.
	const query =
		`SELECT value ->> '$.alert.roomId' AS room, value ->> '$.alert.state' AS state ` +
		`FROM "documents of alerts" ORDER BY value ->> '$.number'`;
	return all<{ room: string; state: string }>(join(dataDir, 'notification.sqlite'), query).map((row) => ({ ...row }));
}

function all<T>(file: string, query: string): T[] {
	const database = new DatabaseSync(file, { readOnly: true });
	try {
		return database.prepare(query).all() as T[];
	} finally {
		database.close();
	}
}

/** The gateway makes a count of what a door tells. */
const storedMetric = (metric: string) => (metric === 'peopleIn' || metric === 'peopleOut' ? 'peopleCount' : metric);

/**
 * Histories have no seq: a reading is known by sensor, metric, time and value; one of a door, whose value becomes the
 * room's count, without the value.
 */
function compare(
	acknowledged: ReadonlyMap<string, Acknowledged>,
	history: readonly Row[],
): Record<'lost' | 'twice' | 'foreign', string[]> {
	const doors = new Set(
		[...acknowledged.values()].filter(({ metric }) => metric !== storedMetric(metric)).map(({ sensorId }) => sensorId),
	);
	const name = ({ sensorId, metric, value, observedAt }: Row) =>
		`${sensorId} ${storedMetric(metric)} ${observedAt} ${doors.has(sensorId) ? '' : value}`.trimEnd();
	const balance = new Map<string, number>();
	for (const told of acknowledged.values()) balance.set(name(told), (balance.get(name(told)) ?? 0) - 1);
	const sent = new Set(balance.keys());
	for (const row of history) balance.set(name(row), (balance.get(name(row)) ?? 0) + 1);
	const wrong = [...balance].filter(([, difference]) => difference !== 0);
	return {
		lost: wrong.filter(([, difference]) => difference < 0).map(([key]) => key),
		twice: wrong.filter(([key, difference]) => difference > 0 && sent.has(key)).map(([key]) => key),
		foreign: wrong.filter(([key]) => !sent.has(key)).map(([key]) => key),
	};
}
