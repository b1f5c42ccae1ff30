import { randomUUID } from 'node:crypto';
import { type Command, type CommandResult, STREAM_FIELDS, STREAMS } from '@crowdvision/contracts';
import { type Fleet, startFleet } from '@crowdvision/firmware-sim';
import { killsOf, seedOf } from '@crowdvision/testing/fault-parameters';
import { type RedisServer, startRedis } from '@crowdvision/testing/redis-server';
import { waitFor } from '@crowdvision/testing/wait';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chanceOf, sleep } from './chance.ts';
import { type GatewayProcess, prepareGateway } from './gateway-process.ts';
import { BUILDING } from './load.ts';

/**
 * `npm run test:faults -- --kills 500` kills a tenth as often here: each life has to serve commands that take seconds.
 */
const KILLS = killsOf(0.1, 4);
const SEED = seedOf(1);
const PER_LIFE = 12;
const TIMEOUT_MS = 15_000;

/**
 * Commands through everything: two gateways on one Redis, of which one has the devices and is killed -9 again and
 * again; devices that are deaf, slow, answer twice and lose their lines.
 */
describe('commands while the gateway is killed -9', () => {
	let redis: RedisServer;
	let client: Redis;
	let gateway: GatewayProcess;
	let bystander: GatewayProcess;
	let fleet: Fleet;
	/** When each command was executed, by id, once for each time it was. */
	const executed: { id: string; at: number }[] = [];
	const commands = new Map<string, Command>();

	beforeAll(async () => {
		redis = await startRedis({ appendonly: 'everysec' });
		client = new Redis(redis.url);
		gateway = await prepareGateway({ env: { REDIS_URL: redis.url } });
		bystander = await prepareGateway({ env: { REDIS_URL: redis.url }, gatewayId: 'bystander' });
		await Promise.all([gateway.start(), bystander.start()]);
		const { http: _http, ...links } = gateway.links;
		fleet = await startFleet({
			seed: SEED,
			building: BUILDING,
			links,
			intervalMs: 500,
			credentials: async (deviceId, sensorIds) => ({
				deviceId,
				token: await gateway.tokens.signDevice({ id: deviceId, domainName: 'works', sensorIds: [...sensorIds] }),
			}),
			faults: ['deaf:0.1', 'slow:0.1', 'answers-twice:0.2', 'unplug:0.02'],
			ackTimeoutMs: 500,
			retry: { firstMs: 50, longestMs: 500 },
			onExecuted: ({ id }) => executed.push({ id, at: Date.now() }),
		});
	});
	afterAll(async () => {
		await fleet?.stop();
		await gateway?.close();
		await bystander?.close();
		client?.disconnect();
		await redis?.stop();
	});

	async function send(sensorId: string, timeoutMs = TIMEOUT_MS): Promise<void> {
		const command: Command = { id: randomUUID(), sensorId, name: 'identify', deadline: Date.now() + timeoutMs };
		commands.set(command.id, command);
		await client.xadd(STREAMS.commands, '*', STREAM_FIELDS.commands, JSON.stringify(command));
	}

	async function results(): Promise<CommandResult[]> {
		const entries = await client.xrange(STREAMS.commandResults, '-', '+');
		return entries.map(([, fields]) => JSON.parse(fields[1]!) as CommandResult);
	}

	it(
		`have exactly one outcome each through ${KILLS} kills, are executed at most once, and never late`,
		async () => {
			const chance = chanceOf(SEED);
			const sensors = fleet.devices.flatMap(({ sensorIds }) => sensorIds);
			const pick = () => sensors[Math.floor(chance() * sensors.length)]!;
			for (let kill = 0; kill < KILLS; kill++) {
				for (let i = 0; i < PER_LIFE; i++) {
					await send(pick(), i === 0 ? 1 : TIMEOUT_MS);
					await sleep(chance() * 100);
				}
				if (kill === 0) await send('nobody-has-this-sensor', 500);
				// Each life must have served something before it ends.
				const before = executed.length;
				await waitFor('a command to be executed', async () => {
					if (executed.length > before) return true;
					await send(pick());
					return sleep(200);
				});
				await sleep(chance() * 1000);
				await gateway.kill();
				await sleep(chance() * 500);
				await gateway.start();
			}
			await waitFor('an outcome for each', async () => (await results()).length >= commands.size, 60_000);
			// Whatever a gateway might still add, it has added when nothing is under way any more.
			for (const one of [gateway, bystander]) {
				await waitFor(
					'nothing to be under way',
					async () => (await one.metric('gateway_commands_under_way')) === 0,
					30_000,
				);
			}
			const all = await results();
			const byOutcome = Object.fromEntries(
				[...Map.groupBy(all, ({ outcome }) => outcome)].map(([outcome, found]) => [outcome, found.length]),
			);
			const { received, repeated } = fleet.stats().commands;
			process.stdout.write(
				`${KILLS} kills: ${commands.size} commands, ${JSON.stringify(byOutcome)}; ` +
					`devices received ${received}, ${repeated} of them again\n`,
			);

			expect(all.map(({ id }) => id).sort()).toEqual([...commands.keys()].sort());
			expect(executed.map(({ id }) => id).sort()).toEqual([...new Set(executed.map(({ id }) => id))].sort());
			// The device measures with its own stopwatch, which is read a moment later.
			for (const { id, at } of executed) expect(at, id).toBeLessThanOrEqual(commands.get(id)!.deadline + 20);
			const done = new Set(executed.map(({ id }) => id));
			for (const { id, outcome } of all) if (outcome === 'executed') expect(done.has(id), id).toBe(true);
			// And none of it because nothing happened.
			expect(byOutcome.executed).toBeGreaterThanOrEqual(KILLS);
			expect(byOutcome.expired).toBeGreaterThan(0);
			expect(repeated).toBeGreaterThan(0);
			expect(all.find(({ sensorId }) => sensorId === 'nobody-has-this-sensor')).toMatchObject({ outcome: 'expired' });
		},
		120_000 + KILLS * 15_000,
	);
});
