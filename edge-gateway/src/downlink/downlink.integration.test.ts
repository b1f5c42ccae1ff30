import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Bus, EmbeddedBus } from '@crowdvision/bus';
import { type CommandToDevice, STREAMS } from '@crowdvision/contracts';
import { Log, startCommitWorker } from '@crowdvision/log';
import { createLogger } from '@crowdvision/service-kit';
import { waitFor } from '@crowdvision/testing/wait';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { CommandChannels } from './command-channels.ts';
import { CommandStore } from './command-store.ts';
import { Downlink } from './downlink.ts';
import { DOWNLINK_DEFAULTS } from './downlink-config.ts';
import { commandOf, type Results, resultsOn } from './testing/results.ts';

const HOUR = 3600_000;

let dir: string;
let bus: EmbeddedBus;
let results: Results;
beforeEach(async () => {
	dir = await mkdtemp(join(tmpdir(), 'crowdvision-downlink-'));
	onTestFinished(() => rm(dir, { recursive: true, force: true }));
	const worker = startCommitWorker();
	onTestFinished(() => worker.close());
	const open = async (name: string) => {
		const log = await Log.open({ dir: join(dir, name), worker, maxBytes: 1024 * 1024 });
		onTestFinished(() => log.close());
		return log;
	};
	const names = [STREAMS.telemetry, STREAMS.commands, STREAMS.commandResults] as const;
	const [telemetry, commands, commandResults] = await Promise.all(names.map(open));
	bus = new EmbeddedBus({
		gatewayId: 'test',
		logs: { telemetry: telemetry!, commands: commands!, 'command-results': commandResults! },
	});
	onTestFinished(() => bus.close());
	results = await resultsOn(bus);
});

/**
 * A gateway on a shared bus, whose clock is wrong by `clockErrorMs`, with the commands that its connected device
 * receives.
 */
async function gateway(name: string, { clockErrorMs = 0, knowsTime = true, config = {}, on = bus as Bus } = {}) {
	const channels = new CommandChannels(() => false);
	const received: CommandToDevice[] = [];
	const downlink = new Downlink({
		store: CommandStore.open(join(dir, name)),
		channels,
		domainOf: () => 'acme',
		bus: on,
		shared: true,
		config: { ...DOWNLINK_DEFAULTS, ...config },
		now: () => Date.now() + clockErrorMs,
		knowsTime: () => knowsTime,
		logger: createLogger('test', 'silent'),
	});
	onTestFinished(() => downlink.stop());
	await downlink.start();
	const connect = (sensorId: string) =>
		channels.add(sensorId, {
			transport: 'mqtt',
			name: 'd1',
			domainName: 'acme',
			send: (command) => void received.push(command),
		});
	return { downlink, received, connect };
}

describe('Downlink', () => {
	it('leaves commands without a channel to gateways that know the time', async () => {
		const slow = await gateway('slow', { clockErrorMs: -365 * 24 * HOUR, knowsTime: false });
		const fast = await gateway('fast', { clockErrorMs: HOUR, knowsTime: false });
		await gateway('right');
		const before = Date.now();
		await bus.append(STREAMS.commands, [commandOf('c1', { inMs: 100 })]);
		const { outcome, at } = await results.of('c1');
		expect(outcome).toBe('expired');
		expect(at).toBeGreaterThanOrEqual(before);
		expect(at).toBeLessThan(before + HOUR / 2);
		for (const { downlink } of [slow, fast])
			expect(downlink.counts).toMatchObject({ failed: 0, expired: 0, superseded: 0 });
	});

	it('decides about the commands of a connected device also without knowing the time', async () => {
		const slow = await gateway('slow', { clockErrorMs: -365 * 24 * HOUR, knowsTime: false });
		slow.connect('door');
		await bus.append(STREAMS.commands, [commandOf('c1', { inMs: 1000 })]);
		expect(await results.of('c1')).toMatchObject({
			outcome: 'failed',
			detail: '/deadline must be at most a day ahead',
		});
		expect(slow.received).toEqual([]);
	});

	it('refuses commands whose outcomes have no room while the bus is down, and publishes all others later', async () => {
		let isDown = true;
		const on: Bus = new Proxy<Bus>(bus, {
			get(target, name) {
				if (name === 'appendOnce' && isDown) return () => Promise.reject(new Error('down'));
				const value: unknown = Reflect.get(target, name);
				return typeof value === 'function' ? value.bind(target) : value;
			},
		});
		// One domain may have a quarter of mostUnderWay.
		const { downlink, received, connect } = await gateway('one', { config: { mostUnderWay: 12, perSecond: 1000 }, on });
		connect('door');
		for (let i = 1; i <= 3; i++) {
			const { id } = await downlink.request('door', { name: 'identify' });
			await downlink.answered({ sensorId: 'door' }, { id, outcome: 'executed' });
		}
		expect(received).toHaveLength(3);
		expect(downlink.underWay).toBe(0);
		await expect(downlink.request('door', { name: 'identify' })).rejects.toMatchObject({ code: 'rate_limited' });
		isDown = false;
		for (const { id } of received) expect(await results.of(id)).toMatchObject({ outcome: 'executed' });
		await waitFor('room for another', () => downlink.request('door', { name: 'identify' }).catch(() => undefined));
	});
});
