import { freshMs, longestFreshMs, type MetricLookup, type RoomCombine } from '@crowdvision/contracts';
import {
	type Readings,
	ROLL_UP_MS,
	type RollUp,
	type RoomMetric,
	type Sample,
	type StalePeriod,
} from '@crowdvision/store';
import { type PastRule, pastRule } from './counters.ts';
import { samplePages } from './sample-pages.ts';
import { StepFunction, type Window } from './step-function.ts';
import { rollUpOf, type Tally } from './tally.ts';

/**
 * The samples that apply in a span and the one before it, in order of time, page by page: those of the time in which
 * any sample may still apply, and the few before that hold for longer, as far back as `after`. Samples of the same
 * moment are in the same page.
 */
async function* everySample(
	readings: Readings,
	of: RoomMetric & { sensorId?: string },
	{ start: spanStart, end: to }: Window,
	after = Number.NEGATIVE_INFINITY,
): AsyncGenerator<Sample[]> {
	// A sample that is exactly as old as it holds does not apply any more.
	const from = Math.max(spanStart - freshMs(of.metric), after);
	const earliest = Math.max(spanStart - longestFreshMs(of.metric), after);
	if (earliest < from) {
		const last = await readings.lastSamples(of, { from: earliest, to: from });
		yield last.filter(({ freshFor }) => freshFor !== undefined);
	}
	yield* samplePages(readings, of, { from, to });
}

/** Summarizes a metric of a room, or of one of its sensors, per window, from its samples. */
export async function tallySamples(
	readings: Readings,
	of: RoomMetric & { sensorId?: string },
	windows: readonly Window[],
	catalog: MetricLookup,
	rule: PastRule,
): Promise<readonly Tally[]> {
	const steps = new StepFunction(of.metric, catalog.describe(of.metric), rule, windows);
	let after: number | undefined;
	for (const span of spansOf(windows, freshMs(of.metric))) {
		steps.know(await rule.heardBefore(span.start));
		for await (const page of everySample(readings, of, span, after)) for (const sample of page) steps.add(sample);
		after = span.end;
	}
	steps.end();
	return steps.tallies;
}

/** The windows, joined where what is read for one overlaps with what is read for the one before. */
function spansOf(windows: readonly Window[], usualHoldMs: number): Window[] {
	const spans: Window[] = [];
	for (const { start, end } of windows) {
		const before = spans.at(-1);
		if (before && start - usualHoldMs <= before.end) before.end = end;
		else spans.push({ start, end });
	}
	return spans;
}

/** Computes the roll-ups of a period, for the room and for each sensor, from all samples that apply in it. */
async function rollUpsOf(
	readings: Readings,
	period: RoomMetric & { start: number },
	catalog: MetricLookup,
	rule: PastRule,
): Promise<RollUp[]> {
	const { metric, start } = period;
	const definition = catalog.describe(metric);
	const window = { start, end: start + ROLL_UP_MS };
	const room = new StepFunction(metric, definition, rule, [window]);
	room.know(await rule.heardBefore(start));
	const sensors = new Map<string, StepFunction>();
	for await (const page of everySample(readings, period, window)) {
		for (const sample of page) {
			let sensor = sensors.get(sample.sensorId);
			if (!sensor) {
				sensor = new StepFunction(metric, definition, { rule: definition.combine }, [window]);
				sensors.set(sample.sensorId, sensor);
			}
			sensor.add(sample);
			room.add(sample);
		}
	}
	room.end();
	for (const sensor of sensors.values()) sensor.end();
	const all = [
		rollUpOf(room.tallies[0]!, start),
		...[...sensors].map(([sensorId, { tallies }]) => rollUpOf(tallies[0]!, start, sensorId)),
	];
	return all.filter((rollUp) => rollUp !== undefined);
}

export interface RollUpOptions {
	signal?: AbortSignal;
	/** `combine` of the room of a period. */
	combineOf?: (of: RoomMetric) => Promise<RoomCombine | undefined>;
}

/**
 * Computes and stores the roll-ups of at most `limit` stale periods that ended by `before` (epoch ms). Resolves with
 * their number.
 */
export async function rollUpStale(
	readings: Readings,
	before: number,
	limit: number,
	catalog: MetricLookup,
	{ signal, combineOf = async () => undefined }: RollUpOptions = {},
): Promise<number> {
	const periods: StalePeriod[] = await readings.nextStale(before, limit);
	for (const period of periods) {
		if (signal?.aborted) break;
		const rule = await pastRule(readings, period, await combineOf(period), catalog);
		await readings.replaceRollUps(period, await rollUpsOf(readings, period, catalog, rule));
	}
	return periods.length;
}
