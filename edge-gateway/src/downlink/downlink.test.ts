import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EmbeddedBus } from '@crowdvision/bus';
import { type CommandToDevice, STREAMS } from '@crowdvision/contracts';
import { Log, startCommitWorker } from '@crowdvision/log';
import { createLogger } from '@crowdvision/service-kit';
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
	bus = new EmbeddedBus({ gatewayId: 'test', logs: { telemetry: telemetry!, commands: commands!, 'command-results': commandResults! } });
	onTestFinished(() => bus.close());
	results = await resultsOn(bus);
});

/** A gateway on the bus that others are on too, whose clock is off by so many ms, and what a device connected to it hears. */
async function gateway(name: string, { off = 0, knowsTime = true } = {}) {
	const lines = new Lines(() => false);
	const heard: CommandToDevice[] = [];
	const downlink = new Downlink({
		book: new CommandBook(join(dir, name)),
		lines,
		domainOf: () => 'acme',
		bus,
		shared: true,
		config: DOWNLINK_DEFAULTS,
		now: () => Date.now() + off,
		knowsTime: () => knowsTime,
		logger: createLogger('test', 'silent'),
	});
	onTestFinished(() => downlink.stop());
	await downlink.start();
	const connect = (sensorId: string) =>
		lines.add(sensorId, { transport: 'mqtt', name: 'd1', domainName: 'acme', send: (command) => void heard.push(command) });
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
	for (const { downlink } of [slow, fast]) expect(downlink.counts).toMatchObject({ failed: 0, expired: 0, superseded: 0 });
});

it('decides all the same where the device is connected to it', async () => {
	const slow = await gateway('slow', { off: -365 * 24 * HOUR, knowsTime: false });
	slow.connect('door');
	await bus.append(STREAMS.commands, [commandOf('c1', { inMs: 1000 })]);
	expect(await results.of('c1')).toMatchObject({ outcome: 'failed', detail: '/deadline must be at most a day ahead' });
	expect(slow.heard).toEqual([]);
});
