import { TRANSPORTS } from '@crowdvision/contracts';
import { killsOf, seedOf } from '@crowdvision/testing/fault-parameters';
import { type RedisServer, startRedis } from '@crowdvision/testing/redis-server';
import { waitFor } from '@crowdvision/testing/wait';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chanceOf, sleep } from './chance.ts';
import { type GatewayProcess, prepareGateway, relayed } from './gateway-process.ts';
import { type Load, startLoad } from './load.ts';
import { flawless, StreamAudit } from './stream-audit.ts';

/** `npm run test:faults -- --kills 500` runs the whole of P1. */
const KILLS = killsOf(1, 20);
const SEED = seedOf(1);
/** Under load, and then once more while it is starting. */
const KILL_THE_START_EVERY = 5;
const TELL_EVERY = 25;

describe('P1 Acked is durable, effectively once: the gateway killed -9 under load', () => {
	let redis: RedisServer;
	let gateway: GatewayProcess;
	let load: Load;

	beforeAll(async () => {
		redis = await startRedis({ appendonly: 'everysec' });
		gateway = await prepareGateway({ env: { REDIS_URL: redis.url } });
		await gateway.start();
		load = await startLoad({ seed: SEED, gateway });
	});
	afterAll(async () => {
		await load?.stop();
		await gateway?.close();
		await redis?.stop();
	});

	it(
		`stores every acknowledged reading of all four transports exactly once through ${KILLS} kills`,
		async () => {
			const chance = chanceOf(SEED);
			const audit = new StreamAudit(redis.url);
			let before = load.counts();
			let recognized = 0;
			for (let kill = 1; kill <= KILLS; kill++) {
				// Each life must have served every transport before it ends.
				await load.flowing(before);
				await sleep(chance() * 400);
				recognized += await gateway.metric('gateway_readings_duplicate_total');
				await sleep(chance() * 40);
				await gateway.kill();
				before = load.counts();
				if (kill % KILL_THE_START_EVERY === 0) {
					await gateway.launch();
					await sleep(chance() * 1000);
					await gateway.kill();
				}
				await gateway.start();
				if (kill % KILL_THE_START_EVERY === 0) await audit.catchUp();
				if (kill % TELL_EVERY === 0) {
					const { pending, resent } = load.fleet.stats();
					process.stdout.write(
						`${kill} kills: ${load.acknowledged.size} acknowledged, ${audit.entries} stored, ${pending} under way, ` +
							`${resent} sent again, ${recognized} recognized\n`,
					);
				}
			}
			await load.flowing(before);
			// What was stored but not acknowledged must have been sent again, and known again; devices lose their lines often
			// enough.
			const duplicates = () => gateway.metric('gateway_readings_duplicate_total');
			if (recognized === 0)
				await waitFor('a redelivery to be recognized', async () => (await duplicates()) > 0, 60_000);
			await load.drain();
			recognized += await duplicates();
			await relayed(gateway);
			await audit.catchUp();

			const found = audit.findings(load.acknowledged);
			const { produced, acknowledged, refused, overwritten, resent } = load.fleet.stats();
			process.stdout.write(
				`${KILLS} kills: acknowledged ${JSON.stringify(load.counts())}, stored ${found.stored}, lost ${found.lost}, ` +
					`twice ${found.duplicates}, sent again ${resent}, recognized ${recognized}\n`,
			);
			expect(found).toEqual(flawless(load.acknowledged.size));
			// The devices' own books agree, and nothing of it came about because there was nothing to lose.
			expect({ acknowledged, refused, overwritten }).toEqual({ acknowledged: produced, refused: 0, overwritten: 0 });
			for (const transport of TRANSPORTS) expect(load.counts()[transport], transport).toBeGreaterThan(KILLS);
			expect(resent).toBeGreaterThan(KILLS);
			expect(recognized).toBeGreaterThan(0);
			expect(await gateway.metric('gateway_ledger_imbalance')).toBe(0);
			expect(await gateway.metric('gateway_relay_lost')).toBe(0);
			expect(await gateway.stop()).toBe(0);
		},
		180_000 + KILLS * 8_000,
	);
});
