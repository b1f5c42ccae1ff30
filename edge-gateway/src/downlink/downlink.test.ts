import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Bus, EmbeddedBus } from '@crowdvision/bus';
import { type CommandToDevice, STREAMS } from '@crowdvision/contracts';
import { Log, startCommitWorker } from '@crowdvision/log';
import { createLogger } from '@crowdvision/service-kit';
import { waitFor } from '@crowdvision/testing/wait';
import { beforeEach, expect, it, onTestFinished } from 'vitest';
import { CommandBook } from './command-book.ts';
import { Downlink } from './downlink.ts';
import { DOWNLINK_DEFAULTS } from './downlink-config.ts';
import { Lines } from './lines.ts';
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
 * A gateway on the bus that others are on too, whose clock is off by so many ms, and what a device connected to it
 * hears.
 */
async function gateway(name: string, { off = 0, knowsTime = true, config = {}, to = bus as Bus } = {}) {
	const lines = new Lines(() => false);
	const heard: CommandToDevice[] = [];
	const downlink = new Downlink({
		book: CommandBook.open(join(dir, name)),
		lines,
		domainOf: () => 'acme',
		bus: to,
		shared: true,
		config: { ...DOWNLINK_DEFAULTS, ...config },
		now: () => Date.now() + off,
		knowsTime: () => knowsTime,
		logger: createLogger('test', 'silent'),
	});
	onTestFinished(() => downlink.stop());
	await downlink.start();
	const connect = (sensorId: string) =>
		lines.add(sensorId, {
			transport: 'mqtt',
			name: 'd1',
			domainName: 'acme',
			send: (command) => void heard.push(command),
		});
	return { downlink, heard, connect };
}

it('leaves commands that it has no line for to gateways that know the time', async () => {
	const slow = await gateway('slow', { off: -365 * 24 * HOUR, knowsTime: false });
	const fast = await gateway('fast', { off: HOUR, knowsTime: false });
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

it('decides all the same where the device is connected to it', async () => {
	const slow = await gateway('slow', { off: -365 * 24 * HOUR, knowsTime: false });
	slow.connect('door');
	await bus.append(STREAMS.commands, [commandOf('c1', { inMs: 1000 })]);
	expect(await results.of('c1')).toMatchObject({ outcome: 'failed', detail: '/deadline must be at most a day ahead' });
	expect(slow.heard).toEqual([]);
});

it('takes no more commands than the outcomes it has room for while the bus is away, and tells each when it is back', async () => {
	let away = true;
	const to: Bus = new Proxy<Bus>(bus, {
		get(target, name) {
			if (name === 'appendOnce' && away) return () => Promise.reject(new Error('away'));
			const value: unknown = Reflect.get(target, name);
			return typeof value === 'function' ? value.bind(target) : value;
		},
	});
	// A quarter is of one domain.
	const { downlink, heard, connect } = await gateway('one', { config: { mostUnderWay: 12, perSecond: 1000 }, to });
	connect('door');
	for (let i = 1; i <= 3; i++) {
		const { id } = await downlink.request('door', { name: 'identify' });
		await downlink.answered('door', { id, outcome: 'executed' });
	}
	expect(heard).toHaveLength(3);
	expect(downlink.underWay).toBe(0);
	await expect(downlink.request('door', { name: 'identify' })).rejects.toMatchObject({ code: 'rate_limited' });
	away = false;
	for (const { id } of heard) expect(await results.of(id)).toMatchObject({ outcome: 'executed' });
	await waitFor('room for another', () => downlink.request('door', { name: 'identify' }).catch(() => undefined));
});
