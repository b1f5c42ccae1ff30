import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Reading } from '@crowdvision/contracts';
import { killsOf } from '@crowdvision/testing/fault-parameters';
import { type RedisServer, startRedis } from '@crowdvision/testing/redis-server';
import { waitFor } from '@crowdvision/testing/wait';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chanceOf, sleep } from './chance.ts';
import { type GatewayProcess, prepareGateway } from './gateway-process.ts';

const READINGS = 200;
const KILLS = killsOf(0.02, 3);
/** A millisecond: no error at all would look like a file that is just being written. */
const RIGHT = 1;
const SET_BACK = -3600_000;
const ROOM = { metric: 'co2', buildingId: 'b1', roomId: 'hall' };

describe('P7 honest time: the gateway as a process, killed -9 before, while and after the clock arrives', () => {
	const dir = mkdtempSync(join(tmpdir(), 'crowdvision-clock-'));
	const file = join(dir, 'error');
	let server: RedisServer;
	let redis: Redis;
	let gateway: GatewayProcess;
	let token: string;

	const beWrongBy = (ms: number) => {
		writeFileSync(`${file}.new`, String(ms));
		renameSync(`${file}.new`, file);
	};
	beforeAll(async () => {
		beWrongBy(60_000 - Date.now());
		server = await startRedis();
		redis = new Redis(server.url);
		gateway = await prepareGateway({
			entry: 'test/faults/set-clock-gateway.ts',
			env: { REDIS_URL: server.url, CLOCK_ERROR_FILE: file },
		});
		token = await gateway.tokens.signDevice({ id: 'd1', domainName: 'acme', buildingId: 'b1' });
		await gateway.start();
	});
	afterAll(async () => {
		await gateway?.close();
		redis?.disconnect();
		await server?.stop();
		rmSync(dir, { recursive: true });
	});

	/** Until it is acknowledged; from when it was first sent until then is when it was received, in true time. */
	const send = async (seq: number): Promise<{ from: number; to: number }> => {
		const from = Date.now();
		await waitFor(`reading ${seq} to be acknowledged`, async () => {
			const response = await fetch(`${gateway.url}/ingest`, {
				method: 'POST',
				headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
				body: JSON.stringify({ sensorId: 's1', ...ROOM, value: 400 + seq, seq }),
				signal: AbortSignal.timeout(10_000),
			});
			if (response.status !== 202) throw new Error(`${response.status} ${await response.text()}`);
			return true;
		});
		return { from, to: Date.now() };
	};

	it(`relays ${READINGS} readings of 1970 once, each within 1 s of the truth, through ${2 * KILLS} kills`, async () => {
		const chance = chanceOf(7);
		const truth: { from: number; to: number }[] = [];
		const die = async () => {
			await gateway.kill();
			await gateway.start();
		};
		for (let seq = 0; seq < READINGS; seq++) {
			truth.push(await send(seq));
			if (seq % Math.ceil(READINGS / KILLS) === 10) await die();
		}
		expect(await redis.xlen('telemetry')).toBe(0);

		beWrongBy(RIGHT);
		for (let kill = 0; kill < KILLS; kill++) {
			await sleep(chance() * 60);
			await die();
		}
		truth.push(await send(READINGS));
		await waitFor('all of them in Redis', async () => (await redis.xlen('telemetry')) >= READINGS + 1, 60_000);
		const entries = await redis.xrange('telemetry', '-', '+');
		const readings = entries.map(([, fields]) => JSON.parse(fields[1]!) as Reading);
		expect(readings.map(({ seq }) => seq)).toEqual(Array.from({ length: READINGS + 1 }, (_, seq) => seq));
		expect(new Set(readings.map(({ id }) => id)).size).toBe(READINGS + 1);
		for (const { seq, observedAt, receivedAt, timeQuality } of readings) {
			const { from, to } = truth[seq!]!;
			expect(observedAt, `${seq}`).toBeGreaterThan(from - 1000);
			expect(observedAt, `${seq}`).toBeLessThan(to + 1000);
			expect(receivedAt).toBe(observedAt);
			expect(timeQuality).toBe(seq === READINGS ? 'synced' : 'holdover');
		}
	}, 240_000);

	it('keeps the order and sends nothing twice when the clock is set back an hour and it is killed', async () => {
		const before = await redis.xlen('telemetry');
		beWrongBy(SET_BACK);
		await waitFor('the clock to be set back', () => readFileSync(`${file}.seen`, 'utf8') === String(SET_BACK));
		const truth: { from: number; to: number }[] = [];
		for (let seq = 0; seq < 40; seq++) {
			truth.push(await send(1000 + seq));
			if (seq === 20) {
				await gateway.kill();
				await gateway.start();
				// What came before the step and before the kill is known again.
				await send(1000);
				await send(5);
			}
		}
		await waitFor('them in Redis', async () => (await redis.xlen('telemetry')) >= before + 40, 30_000);
		const readings = (await redis.xrange('telemetry', '-', '+'))
			.slice(before)
			.map(([, fields]) => JSON.parse(fields[1]!) as Reading);
		expect(readings.map(({ seq }) => seq)).toEqual(Array.from({ length: 40 }, (_, seq) => 1000 + seq));
		for (const [index, { observedAt, timeQuality }] of readings.entries()) {
			expect(timeQuality).toBe('holdover');
			expect(observedAt).toBeGreaterThan(truth[index]!.from - 1000);
			expect(observedAt).toBeLessThan(truth[index]!.to + 1000);
			if (index > 0) expect(observedAt).toBeGreaterThanOrEqual(readings[index - 1]!.observedAt);
		}
	}, 120_000);
});
