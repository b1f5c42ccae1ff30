import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Reading } from '@crowdvision/contracts';
import { waitFor, within } from '@crowdvision/testing/wait';
import mqtt from 'mqtt';
import { type GatewayWorld, openGatewayWorld } from '../gateway-world.ts';
import { FUZZ_SENSOR } from './corpus.ts';
import type { Lane } from './lane.ts';
import { decoderLanes, networkLanes, serialLines } from './lanes.ts';
import { Chance } from './mutations.ts';
import { ruleLanes } from './rule-lanes.ts';
import { RULES } from './rules-corpus.ts';
import { SentNumbers } from './sent-numbers.ts';

const MIB = 1024 * 1024;
/** How much more memory may be in use at the end than after the first tenth of the run. */
const MAX_GROWTH = 64 * MIB;
const HEALTHY_EVERY_MS = 50;
const ANSWER_TIMEOUT_MS = 20_000;
/** How many inputs of each lane a failure shows. */
const SHOWN_INPUTS = 5;

/** What a fuzz run without failures has done. */
export interface FuzzReport {
	seed: number;
	/** Number of inputs, by lane. */
	inputs: Record<string, number>;
	/** Readings of healthy clients that were acknowledged and found in the log. */
	healthy: number;
	/** Readings in the log that came from inputs of the fuzzer. */
	taken: number;
	/** Bytes in use after a garbage collection, after the first tenth of the run and at its end. */
	memory: { before: number; after: number };
	/** Size of SentNumbers, which is part of the memory in use. */
	remembered: number;
}

/**
 * Attacks a whole gateway over every transport for `seconds`, beside healthy clients that must be served.
 * @throws Error with the failure and, in hex, the last inputs of each lane
 */
export async function fuzz({ seconds, seed }: { seconds: number; seed: number }): Promise<FuzzReport> {
	const lines = await serialLines();
	const defaults = { sensorId: FUZZ_SENSOR, buildingId: 'b1', roomId: 'hall' };
	const world = await openGatewayWorld({
		settings: {
			decoders: RULES,
			serial: [
				{ path: lines.paths.jsonl, timeZone: 'Europe/Rome', defaults },
				{ path: lines.paths.csv, framing: 'csv', csv: { columns: ['seq', 'metric', 'value'] }, defaults },
				{ path: lines.paths.cobs, framing: 'cobs', defaults },
			],
			log: { whenFull: 'drop-oldest' },
		},
	}).catch(async (error: Error) => {
		await lines.close();
		throw error;
	});
	const numbers = new SentNumbers();
	const rules = ruleLanes();
	const inputs: Record<string, number> = {};
	const last: Record<string, Buffer[]> = {};
	const failures: string[] = [];
	const fail = (error: unknown) =>
		failures.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
	process.on('uncaughtException', fail);
	process.on('unhandledRejection', fail);
	const deadline = performance.now() + seconds * 1000;
	const goesOn = () => failures.length === 0 && performance.now() < deadline;
	try {
		const target = {
			mqttPort: world.gateway.mqttPort(),
			httpPort: Number(new URL(world.url).port),
			token: await tokenOf(world, 'fuzz-device', FUZZ_SENSOR),
			numbers,
		};
		const lanes = [...networkLanes(target), ...lines.lanes(numbers), ...decoderLanes(), ...rules.lanes];
		const run = async (lane: Lane, chance: Chance) => {
			inputs[lane.name] = 0;
			const remembered: Buffer[] = [];
			last[lane.name] = remembered;
			while (goesOn()) {
				inputs[lane.name]!++;
				await lane.attack(chance, (bytes) => {
					remembered.push(bytes);
					if (remembered.length > SHOWN_INPUTS) remembered.shift();
				});
			}
		};
		const audit = new Audit(world, numbers);
		const watching = watch(audit, goesOn);
		const memory = measure(seconds, goesOn);
		const all = await Promise.allSettled([
			...lanes.map((lane, i) => run(lane, new Chance(seed + i * 7919))),
			healthyMqtt(world, audit, goesOn),
			healthyHttp(world, audit, goesOn),
			watching,
		]);
		for (const one of all) if (one.status === 'rejected') fail(one.reason);
		const before = await memory;
		if (failures.length === 0) await audit.finish().catch(fail);
		const after = memoryInUse();
		if (before !== undefined && after - before > MAX_GROWTH)
			fail(
				`memory grew by ${Math.round((after - before) / MIB)} MiB, but at most ${MAX_GROWTH / MIB} are allowed; ` +
					`the fuzzer itself holds ${numbers.size} numbers`,
			);
		const imbalance = await world.metric('gateway_ledger_imbalance');
		if (imbalance !== 0) fail(`the ledger is out of balance by ${imbalance}`);
		if (failures.length > 0) throw new Error(report(seed, failures, last));
		return {
			seed,
			inputs,
			healthy: audit.healthy,
			taken: audit.taken,
			memory: { before: before ?? after, after },
			remembered: numbers.size,
		};
	} finally {
		process.off('uncaughtException', fail);
		process.off('unhandledRejection', fail);
		await rules.close();
		await lines.close();
		await world.stop();
	}
}

const tokenOf = (world: GatewayWorld, id: string, sensorId: string) => world.token(id, { sensorIds: [sensorId] });

function report(seed: number, failures: string[], last: Record<string, Buffer[]>): string {
	const shown = Object.entries(last).map(
		([lane, inputs]) => `${lane}:\n${inputs.map((one) => `  ${one.subarray(0, 2000).toString('hex')}`).join('\n')}`,
	);
	return [
		`fuzz: failed with seed ${seed}`,
		...failures.slice(0, 3),
		'the last inputs of each lane, in hex:',
		...shown,
	].join('\n');
}

/** Checks the log as it grows: every reading in it was sent, and every acknowledged reading is in it. */
class Audit {
	healthy = 0;
	taken = 0;
	readonly #world: GatewayWorld;
	readonly #numbers: SentNumbers;
	readonly #acknowledged = new Map<string, Set<number>>();
	readonly #stored = new Map<string, Set<number>>();
	#next = 0;

	constructor(world: GatewayWorld, numbers: SentNumbers) {
		this.#world = world;
		this.#numbers = numbers;
	}

	acknowledged(sensorId: string, value: number): void {
		this.healthy++;
		this.#of(this.#acknowledged, sensorId).add(value);
	}

	/** Checks the new records. @throws Error when a reading was invented or stored twice */
	async check(): Promise<void> {
		for (;;) {
			const read = await this.#world.log.read(this.#next);
			if (read.next === this.#next) return;
			this.#next = read.next;
			for (const { payload } of read.records) this.#checkReading(JSON.parse(payload.toString()) as Reading);
		}
	}

	/** Checks the whole log. @throws Error when an acknowledged reading is missing */
	async finish(): Promise<void> {
		await this.#world.log.durable();
		await this.check();
		for (const [sensorId, values] of this.#acknowledged) {
			const missing = [...values].filter((value) => !this.#stored.get(sensorId)?.has(value));
			if (missing.length > 0)
				throw new Error(`${missing.length} acknowledged readings of ${sensorId} are not in the log`);
		}
	}

	#checkReading({ sensorId, value, clipped = false, buildingId, roomId }: Reading): void {
		if (sensorId === FUZZ_SENSOR) {
			this.taken++;
			if (!clipped && !this.#numbers.has(value)) throw new Error(`a reading was invented: ${value} of ${sensorId}`);
			return;
		}
		const stored = this.#of(this.#stored, sensorId);
		if (!sensorId.startsWith('healthy-') || buildingId !== 'b1' || roomId !== 'hall')
			throw new Error(`a reading of ${sensorId} was invented`);
		if (stored.has(value)) throw new Error(`a reading of ${sensorId} is in the log twice: ${value}`);
		stored.add(value);
	}

	#of(map: Map<string, Set<number>>, sensorId: string): Set<number> {
		const values = map.get(sensorId) ?? new Set();
		map.set(sensorId, values);
		return values;
	}
}

async function watch(audit: Audit, goesOn: () => boolean): Promise<void> {
	while (goesOn()) {
		await audit.check();
		await new Promise((resolve) => setTimeout(resolve, 200));
	}
}

/** A healthy client: publishes one reading after another, each acknowledged before the next. */
async function healthyMqtt(world: GatewayWorld, audit: Audit, goesOn: () => boolean): Promise<void> {
	const password = await tokenOf(world, 'healthy-mqtt', 'healthy-mqtt');
	const client = await mqtt.connectAsync(
		world.mqttUrl,
		{ username: 'healthy-mqtt', password, reconnectPeriod: 0 },
		false,
	);
	try {
		for (let value = 1; goesOn(); value++) {
			await within(
				'a PUBACK beside the attacks',
				client.publishAsync('telemetry/b1/hall/healthy-mqtt/illuminance', String(value), { qos: 1 }),
				ANSWER_TIMEOUT_MS,
			);
			audit.acknowledged('healthy-mqtt', value);
			await new Promise((resolve) => setTimeout(resolve, HEALTHY_EVERY_MS));
		}
	} finally {
		await client.endAsync(true);
	}
}

/** A healthy client over HTTP. */
async function healthyHttp(world: GatewayWorld, audit: Audit, goesOn: () => boolean): Promise<void> {
	const token = await tokenOf(world, 'healthy-http', 'healthy-http');
	for (let value = 1; goesOn(); value++) {
		const body = { sensorId: 'healthy-http', metric: 'illuminance', value, buildingId: 'b1', roomId: 'hall' };
		const { status } = await within(
			'an answer beside the attacks',
			world.call('POST', '/ingest', { token, body }),
			ANSWER_TIMEOUT_MS,
		);
		if (status !== 202) throw new Error(`a healthy client was answered ${status}`);
		audit.acknowledged('healthy-http', value);
		await new Promise((resolve) => setTimeout(resolve, HEALTHY_EVERY_MS));
	}
}

/** The memory in use after the first tenth of the run; undefined when the run has failed before. */
async function measure(seconds: number, goesOn: () => boolean): Promise<number | undefined> {
	const at = performance.now() + seconds * 100;
	await waitFor('the first tenth', () => performance.now() >= at || !goesOn(), seconds * 1000 + 1000);
	return goesOn() ? memoryInUse() : undefined;
}

/** Bytes in use after a garbage collection. */
function memoryInUse(): number {
	setFlagsFromString('--expose-gc');
	const collect = runInNewContext('gc') as () => void;
	collect();
	collect();
	const { heapUsed, external } = process.memoryUsage();
	return heapUsed + external;
}
