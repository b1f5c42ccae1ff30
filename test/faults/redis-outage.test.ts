import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { TRANSPORTS } from '@crowdvision/contracts';
import { faultParameter, seedOf } from '@crowdvision/testing/fault-parameters';
import { type RedisServer, startRedis } from '@crowdvision/testing/redis-server';
import { waitFor } from '@crowdvision/testing/wait';
import { Redis } from 'ioredis';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { cutAppendOnlyFile } from './append-only-file.ts';
import { sleep } from './chance.ts';
import { type GatewayProcess, prepareGateway, relayed } from './gateway-process.ts';
import { type Load, startLoad } from './load.ts';
import { flawless, StreamAudit } from './stream-audit.ts';

/** How long Redis is stopped. */
const OUTAGE_SECONDS = faultParameter('FAULT_OUTAGE_SECONDS', 6);
const SEED = seedOf(2);
const TIMEOUT_MS = 180_000 + OUTAGE_SECONDS * 1000;

describe('P1 Acked is durable, effectively once: Redis away under load', () => {
	let redis: RedisServer;
	let gateway: GatewayProcess;
	let load: Load;

	beforeEach(async () => {
		redis = await startRedis({ appendonly: 'everysec' });
		onTestFinished(() => redis.stop());
		gateway = await prepareGateway({ env: { REDIS_URL: redis.url } });
		onTestFinished(() => gateway.close());
	});

	async function begin(): Promise<void> {
		await gateway.start();
		await devices();
	}

	async function devices(): Promise<void> {
		load = await startLoad({ seed: SEED, gateway });
		onTestFinished(() => load.stop());
		await load.flowing(load.counts());
	}

	/** Resolves when the stream holds so many entries. */
	async function stored(entries: number): Promise<void> {
		await waitFor(`${entries} entries in the stream`, async () => (await entriesOf(redis)) >= entries, 30_000);
	}

	/**
	 * Lets everything arrive, and requires that each acknowledged reading is in the stream, once, as it was sent and in
	 * order.
	 */
	async function settle(name: string): Promise<StreamAudit> {
		await load.drain();
		await relayed(gateway);
		const audit = new StreamAudit(redis.url);
		await audit.catchUp();
		const found = audit.findings(load.acknowledged);
		process.stdout.write(
			`${name}: acknowledged ${JSON.stringify(load.counts())}, stored ${found.stored}, lost ${found.lost}, ` +
				`twice ${found.duplicates}\n`,
		);
		expect(found).toEqual(flawless(load.acknowledged.size));
		expect(load.fleet.stats()).toMatchObject({ acknowledged: load.fleet.stats().produced, refused: 0, overwritten: 0 });
		expect(await gateway.metric('gateway_ledger_imbalance')).toBe(0);
		expect(await gateway.metric('gateway_relay_lost')).toBe(0);
		expect(await gateway.trouble()).toBeUndefined();
		return audit;
	}

	it(
		`keeps acknowledging while Redis hangs for ${OUTAGE_SECONDS} s and is killed, and then relays all exactly once`,
		async () => {
			await begin();
			await redis.kill('SIGSTOP');
			const hungAt = load.counts();
			for (let second = 0; second < OUTAGE_SECONDS; second++) {
				const before = load.counts();
				await sleep(1000);
				await load.flowing(before);
			}
			const during = load.counts();
			for (const transport of TRANSPORTS)
				expect(during[transport] - hungAt[transport], transport).toBeGreaterThan(OUTAGE_SECONDS);
			expect(await gateway.metric('gateway_relay_lag')).toBeGreaterThan(OUTAGE_SECONDS);
			if (OUTAGE_SECONDS >= 15) expect(await gateway.trouble()).toMatch(/^Redis: /);
			await redis.kill('SIGCONT');
			await relayed(gateway);
			await load.flowing(load.counts());

			// Under load again, and then gone: what Redis had not written to its disk is missing when it is back.
			await redis.kill('SIGKILL');
			await load.flowing(load.counts());
			await redis.restart();
			await load.flowing(load.counts());
			await settle('hung, killed');
		},
		TIMEOUT_MS,
	);

	// Once for each Redis: 7.0 itself replays what it had cut out of a torn transaction when it is started a second time.
	it.each([
		['while the gateway runs', false, 20_000],
		['while the gateway is killed too', true, 20_777],
	])(
		'appends again exactly what Redis forgot when it lost the end of its file, %s',
		async (name, killed, bytes) => {
			await begin();
			await stored(400);
			await redis.kill('SIGKILL');
			// As much as a second of everysec may cost.
			await cutAppendOnlyFile(redis, bytes);
			if (killed) await gateway.kill();
			const before = load.counts();
			await redis.restart();
			if (killed) await gateway.start();
			await load.flowing(before);
			await relayed(gateway);
			// It has delivered more than there is: some of it twice, because Redis had forgotten it.
			if (!killed) expect(await gateway.metric('gateway_relay_delivered')).toBeGreaterThan(await entriesOf(redis));
			await settle(`lost the end of its file ${name}`);
		},
		TIMEOUT_MS,
	);

	it(
		'gives a Redis that comes back empty all that the log holds, under the same ids',
		async () => {
			await begin();
			await stored(400);
			await relayed(gateway);
			const before = new StreamAudit(redis.url);
			await before.catchUp();
			const known = [...load.acknowledged.keys()].filter((key) => before.idOf(key) !== undefined);
			expect(known.length).toBeGreaterThan(100);

			await redis.kill('SIGKILL');
			await rm(join(redis.dir, 'appendonlydir'), { recursive: true });
			await redis.restart();
			await load.flowing(load.counts());
			const after = await settle('restarted empty');
			expect(known.filter((key) => after.idOf(key) !== before.idOf(key))).toEqual([]);
		},
		TIMEOUT_MS,
	);

	it(
		'starts without Redis, takes readings, says what is missing, and goes on when Redis is there',
		async () => {
			await redis.kill('SIGKILL');
			await begin();
			expect(await gateway.trouble()).toMatch(/^Redis: /);
			for (let round = 0; round < 3; round++) await load.flowing(load.counts());
			await redis.restart();
			await settle('away at the start');
		},
		TIMEOUT_MS,
	);

	it(
		'is not confused by what a killed gateway had sent to a Redis that hung',
		async () => {
			await begin();
			for (let round = 0; round < 3; round++) {
				await redis.kill('SIGSTOP');
				await waitFor('a batch on its way', async () => (await gateway.metric('gateway_relay_lag')) > 20);
				await gateway.kill();
				const before = load.counts();
				await gateway.start();
				await load.flowing(before);
				await redis.kill('SIGCONT');
				await load.flowing(load.counts());
			}
			await settle('gateway killed while Redis hung');
		},
		TIMEOUT_MS,
	);
});

async function entriesOf({ url }: RedisServer): Promise<number> {
	const client = new Redis(url);
	try {
		return await client.xlen('telemetry');
	} finally {
		client.disconnect();
	}
}
