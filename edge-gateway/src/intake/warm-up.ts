/** Runs the intake's code before the gateway is ready, so that the first devices do not wait for its compilation. */
import { join } from 'node:path';
import type { Log } from '@crowdvision/log';
import type { Clock } from '../clock/clock.ts';
import type { Frame } from '../frame.ts';
import { Ledger } from '../ledger/ledger.ts';
import { Occupancy } from '../occupancy/occupancy.ts';
import { Registry } from '../registry.ts';
import { Intake } from './intake.ts';
import type { IntakeMetrics } from './reading-validator.ts';
import type { IntakeLog } from './reading-writer.ts';

/** Of CPU time: what V8 gains by more is small, and a start should not take longer for it. */
const LONGEST_MS = 120;
const MOST_FRAMES = 8000;
/** Between these V8 puts what it compiled meanwhile to use. */
const FRAMES_AT_ONCE = 250;

export interface WarmUpParts {
	/** A folder; nothing is written to it. */
	dir: string;
	clock: Clock;
	metrics: IntakeMetrics;
	gatewayId: string;
}

/**
 * Sends made-up readings through parser, validator, dedup key and encoder. Nothing of them is stored, counted or
 * announced: the intake they pass is one of their own, with a log that keeps nothing.
 * @returns how many were taken and refused; those refused warm up nothing that devices need
 */
export async function warmUp({
	dir,
	clock,
	metrics,
	gatewayId,
}: WarmUpParts): Promise<{ taken: number; refused: number }> {
	const log = new NoLog();
	const intake = new Intake({
		log,
		clock,
		registry: Registry.open(join(dir, 'warm-up')),
		occupancy: new Occupancy(),
		rejected: { add: async () => undefined },
		ledger: new Ledger(),
		metrics,
		gatewayId,
	});
	const outcome = { taken: 0, refused: 0 };
	const onDurable = (error: Error | undefined) => void outcome[error ? 'refused' : 'taken']++;
	const began = process.cpuUsage();
	for (let sent = 0; sent < MOST_FRAMES; ) {
		for (const end = sent + FRAMES_AT_ONCE; sent < end; sent++) intake.take(madeUp(sent, clock.now()), onDurable);
		log.settle();
		await new Promise((resolve) => setImmediate(resolve));
		const { user, system } = process.cpuUsage(began);
		if ((user + system) / 1000 > LONGEST_MS) break;
	}
	return outcome;
}

/** Devices differ in what they state: full readings, the short form, an array, a bare number. */
function madeUp(number: number, now: number): Frame {
	const sensorId = `warm-up-${number % 50}`;
	const value = 400 + (number % 1000) / 10;
	const numbered = { seq: number, boot: 'warm-up' };
	const place = { buildingId: 'warm-up', roomId: 'warm-up' };
	const shapes: [unknown, Frame['context']][] = [
		[
			{ sensorId, metric: 'co2', value, unit: 'ppm', ...place, observedAt: now, ...numbered },
			{ sensorId, ...place },
		],
		[{ sensorId, metric: 'co2', value, unit: 'ppm', ...place, observedAt: now, ...numbered }, {}],
		[
			{ metric: 'temperature', value: value / 20 },
			{ sensorId, ...place },
		],
		[
			{ value, observedAt: now, seq: number },
			{ sensorId, ...place, metric: 'co2' },
		],
		[[{ sensorId, metric: 'humidity', value: value / 10, ...place }], {}],
		[value, { sensorId, ...place, metric: 'co2' }],
	];
	const [content, context] = shapes[number % shapes.length]!;
	return {
		transport: 'mqtt',
		source: `telemetry/warm-up/warm-up/${sensorId}`,
		sender: { id: sensorId, domainName: undefined, sensorIds: undefined, buildingId: undefined },
		context,
		raw: Buffer.from(JSON.stringify(content)),
	};
}

/** Takes records and keeps none. */
class NoLog implements IntakeLog {
	readonly id = '0000000000000000';
	nextOffset = 0;
	readonly #open: Parameters<Log['enqueue']>[3][] = [];

	lookUp(): 'new' {
		return 'new';
	}

	async durable(): Promise<void> {}

	async append(records: Parameters<Log['append']>[0]): ReturnType<Log['append']> {
		const first = this.nextOffset;
		this.nextOffset += records.length;
		return { first, count: records.length, dropped: false };
	}

	enqueue(...[, , , onDurable]: Parameters<Log['enqueue']>): void {
		this.nextOffset++;
		this.#open.push(onDurable);
	}

	settle(): void {
		for (const onDurable of this.#open.splice(0)) onDurable();
	}
}
