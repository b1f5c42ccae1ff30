/** Sends readings to one system at a given rate, and measures throughput and latency. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startNode } from '@crowdvision/testing/processes';
import { BEGIN, END, type Job, type LoadResult, RESULT } from './load/job.ts';
import { cpuSeconds, LOAD_CORE, memory, pin } from './machine.ts';
import { CONNECTIONS, type System, type SystemUnderTest } from './systems.ts';

/** How the load generator sends readings to the system that is measured. */
export interface Load {
	protocol: 'mqtt' | 'http';
	qos: 0 | 1;
	batch: number;
	rate?: number;
	/** Default 50. */
	connections?: number;
	/** Unacknowledged messages on each; default 100. */
	window?: number;
	/** Whether payloads are mixed as real devices mix them. */
	mixed?: boolean;
	warmUpSeconds: number;
	seconds: number;
	/** Whether the stream is read while it is written, or afterwards. */
	live: boolean;
}

export interface Percentiles {
	p50: number;
	p99: number;
}

/** One run of one system. */
export interface Measurement {
	readingsPerSecond: number;
	/** Time to acknowledgement, ms; absent if nothing is acknowledged. */
	ack?: Percentiles;
	/** As `ack`, from 8 s after the start of the load on; absent if it ended before. */
	steady?: Percentiles;
	/** Readings added to Redis per second while the load ran; absent if nothing is stored, or only after the run. */
	deliveredPerSecond?: number;
	/** By how many readings the way to Redis fell behind in each of these seconds. */
	lagPerSecond?: number;
	/** Time from sending to arrival in Redis, ms; absent if nothing is stored, or only after the run. */
	arrival?: Percentiles;
	/** CPU seconds of the system's process per 1,000 readings. */
	cpuPer1000: number;
	redisCpuPer1000?: number;
	peakMiB: number;
	/** Share of a core that the generator used; near 1 the generator was the limit, not the system. */
	generatorCpu: number;
	/**
	 * How many of the acknowledged readings (QoS 0: of the sent ones) were not found, and how many were found twice.
	 * Absent if nothing can be looked up.
	 */
	missing?: number;
	duplicates?: number;
	sent: number;
	unacknowledged: number;
	refused: number;
	/** Resident memory, one sample per second, MiB. */
	rss: number[];
}

const WINDOW = 100;
const STEADY_AFTER_SECONDS = 8;
/** Readings count as missing when nothing new has arrived in the stream for this long. */
const DRAIN_PATIENCE_MS = 5000;

/** Starts a new instance of the system, sends readings, looks up each of them, and stops the system. */
export async function measure(system: System, load: Load): Promise<Measurement> {
	const target = await system.start();
	try {
		return await run(system, target, load);
	} finally {
		await target.stop();
	}
}

async function run(system: System, target: SystemUnderTest, load: Load): Promise<Measurement> {
	const port = load.protocol === 'http' ? target.httpPort : target.mqttPort;
	if (port === undefined) throw new Error(`${system.name} does not speak ${load.protocol}`);
	const job: Job = {
		protocol: load.protocol,
		host: '127.0.0.1',
		port,
		qos: load.qos,
		batch: load.batch,
		connections: load.connections ?? CONNECTIONS,
		window: load.window ?? WINDOW,
		mixed: load.mixed ?? false,
		steadyAfterSeconds: STEADY_AFTER_SECONDS,
		warmUpSeconds: load.warmUpSeconds,
		seconds: load.seconds,
		devices: target.devices.slice(0, load.connections ?? CONNECTIONS),
		...(load.rate !== undefined && { rate: load.rate }),
		...(system.subscriber !== undefined && { subscriber: system.subscriber }),
	};
	const { reader, redisPid } = target;
	if (load.live) reader?.follow();
	const patience = (load.warmUpSeconds + load.seconds + 90) * 1000;
	// A file: the tokens of a thousand devices are too long for an argument.
	const folder = await mkdtemp(join(tmpdir(), 'crowdvision-bench-job-'));
	const file = join(folder, 'job.json');
	await writeFile(file, JSON.stringify(job), { mode: 0o600 });
	const generator = await startNode('bench/load/main.ts', { args: [file], timeoutMs: patience });
	pin(generator.pid, LOAD_CORE);
	try {
		await generator.waitFor(new RegExp(BEGIN), patience);
		const began = Date.now();
		reader?.measure(began);
		const added = await reader?.added();
		const cpu = cpuSeconds(target.pid());
		const redisCpu = redisPid === undefined ? 0 : cpuSeconds(redisPid);
		const rss: number[] = [];
		const sampler = setInterval(() => rss.push(memory(target.pid()).now), 1000);
		await generator.waitFor(new RegExp(END), patience).finally(() => clearInterval(sampler));
		const delivered = reader && added !== undefined ? (await reader.added()) - added : undefined;
		const elapsed = (Date.now() - began) / 1000;
		reader?.measure(began, Date.now());
		const cpuUsed = cpuSeconds(target.pid()) - cpu;
		const redisCpuUsed = redisPid === undefined ? 0 : cpuSeconds(redisPid) - redisCpu;
		const [, text] = await generator.waitFor(new RegExp(`^${RESULT}(.*)$`, 'm'), patience);
		const result: LoadResult = JSON.parse(text!);
		const peakMiB = memory(target.pid()).peak;
		const checked = await check(target, result);
		return {
			readingsPerSecond: result.perSecond,
			...(result.ack && { ack: result.ack }),
			...(result.steady && { steady: result.steady }),
			...(delivered !== undefined &&
				!target.recover && {
					deliveredPerSecond: delivered / elapsed,
					lagPerSecond: result.perSecond - delivered / elapsed,
				}),
			...(reader &&
				reader.arrival.total > 0 &&
				!target.recover && { arrival: { p50: reader.arrival.quantile(0.5), p99: reader.arrival.quantile(0.99) } }),
			cpuPer1000: (cpuUsed / result.counted) * 1000,
			...(redisPid !== undefined && { redisCpuPer1000: (redisCpuUsed / result.counted) * 1000 }),
			peakMiB,
			generatorCpu: result.generatorCpu,
			sent: Object.values(result.sent).reduce((sum, sent) => sum + sent, 0),
			unacknowledged: Object.values(result.unacknowledged).reduce((sum, seqs) => sum + seqs.length, 0),
			refused: result.refused,
			rss,
			...checked,
		};
	} finally {
		await generator.kill();
		await rm(folder, { recursive: true, force: true });
	}
}

/** Looks up every reading, in Redis or with the subscriber. */
async function check(target: SystemUnderTest, result: LoadResult): Promise<{ missing?: number; duplicates?: number }> {
	if (result.subscriber) return { missing: result.subscriber.missing, duplicates: result.subscriber.duplicates };
	const { reader } = target;
	if (!reader) return {};
	await target.recover?.();
	const sent = Object.entries(result.sent);
	const unacknowledged = Object.values(result.unacknowledged).flat().length;
	const expected = sent.reduce((sum, [, count]) => sum + count, 0) - unacknowledged - result.refused;
	await reader.drain(expected, DRAIN_PATIENCE_MS);
	// Duplicates may arrive a little later.
	await sleep(200);
	await reader.drain(expected, 0);
	let missing = 0;
	let duplicates = 0;
	for (const [sensor, count] of sent) {
		const found = reader.readings.compare(Number(sensor.slice(2)), count, new Set(result.unacknowledged[sensor]));
		missing += found.missing;
		duplicates += found.duplicates;
	}
	return { missing: missing - Math.min(missing, result.refused), duplicates };
}
