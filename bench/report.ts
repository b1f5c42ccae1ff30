/** Compares the measured systems: medians, ratios and tables. */
import type { Measurement } from './measure.ts';

export const median = (values: readonly number[]): number => {
	const sorted = values.filter((value) => !Number.isNaN(value)).sort((a, b) => a - b);
	const middle = sorted.length >> 1;
	return sorted.length === 0
		? Number.NaN
		: sorted.length % 2
			? sorted[middle]!
			: (sorted[middle - 1]! + sorted[middle]!) / 2;
};

/** The median over rounds of the ratio of both rates in the same round. */
export const medianRatio = (ours: readonly Measurement[], theirs: readonly Measurement[]): number =>
	median(
		ours.map(({ readingsPerSecond }, round) => readingsPerSecond / (theirs[round]?.readingsPerSecond ?? Number.NaN)),
	);

const milliseconds = (value: number | undefined) =>
	value === undefined || Number.isNaN(value) ? '' : value < 10 ? value.toFixed(2) : value.toFixed(0);
const times = (value: number) => (Number.isNaN(value) ? '' : `${value.toFixed(2)} x`);
const pair = (of: (one: Measurement) => { p50: number; p99: number } | undefined, rounds: readonly Measurement[]) => {
	const p50 = milliseconds(median(rounds.map((one) => of(one)?.p50 ?? Number.NaN)));
	return p50 && `${p50} / ${milliseconds(median(rounds.map((one) => of(one)?.p99 ?? Number.NaN)))}`;
};
const whole = (value: number) => (Number.isNaN(value) ? '' : Math.round(value).toLocaleString('en'));
/** With the rate of what reached Redis. */
const asDelivered = (one: Measurement): Measurement => ({
	...one,
	readingsPerSecond: one.deliveredPerSecond ?? Number.NaN,
});
const sum = (values: (number | undefined)[]) => values.reduce<number>((total, value) => total + (value ?? 0), 0);

/** How many of the sent readings are missing, duplicated, refused or unacknowledged. */
function fate(rounds: readonly Measurement[]): string {
	const parts = [
		rounds.some(({ missing }) => missing === undefined)
			? 'not looked up'
			: `${sum(rounds.map(({ missing }) => missing))} missing`,
		...(sum(rounds.map(({ duplicates }) => duplicates)) > 0
			? [`${sum(rounds.map(({ duplicates }) => duplicates))} twice`]
			: []),
		...(sum(rounds.map(({ refused }) => refused)) > 0 ? [`${sum(rounds.map(({ refused }) => refused))} refused`] : []),
		...(sum(rounds.map(({ unacknowledged }) => unacknowledged)) > 0
			? [`${sum(rounds.map(({ unacknowledged }) => unacknowledged))} unacknowledged`]
			: []),
	];
	return parts.join(', ');
}

/** A table of one scenario: one row per system, with medians over the rounds. Empty columns are left out. */
export function table(title: string, systems: Record<string, readonly Measurement[]>): string {
	const heads = [
		'',
		'readings/s',
		'x mosquitto',
		'x naive',
		'ack p50/p99 ms',
		'from 8 s',
		'to Redis/s',
		'x mosquitto',
		'behind/s',
		'in Redis p50/p99 ms',
		'CPU s/1000',
		'peak MiB',
		'generator',
		'of all sent',
	];
	const rows = Object.entries(systems).map(([name, rounds]) => [
		name,
		Math.round(median(rounds.map(({ readingsPerSecond }) => readingsPerSecond))).toLocaleString('en'),
		times(systems.mosquitto ? medianRatio(rounds, systems.mosquitto) : Number.NaN),
		times(systems.naive ? medianRatio(rounds, systems.naive) : Number.NaN),
		pair(({ ack }) => ack, rounds),
		pair(({ steady }) => steady, rounds),
		whole(median(rounds.map(({ deliveredPerSecond }) => deliveredPerSecond ?? Number.NaN))),
		times(systems.mosquitto ? medianRatio(rounds.map(asDelivered), systems.mosquitto) : Number.NaN),
		whole(median(rounds.map(({ lagPerSecond }) => lagPerSecond ?? Number.NaN))),
		pair(({ arrival }) => arrival, rounds),
		median(rounds.map(({ cpuPer1000 }) => cpuPer1000)).toFixed(4),
		Math.max(...rounds.map(({ peakMiB }) => peakMiB)).toFixed(0),
		`${(median(rounds.map(({ generatorCpu }) => generatorCpu)) * 100).toFixed(0)} %`,
		fate(rounds),
	]);
	const used = heads.map((_head, column) => column === 0 || rows.some((row) => row[column] !== ''));
	const lines = [heads, ...rows].map((row) => row.filter((_cell, column) => used[column]));
	const widths = lines[0]!.map((_cell, column) => Math.max(...lines.map((row) => row[column]!.length)));
	const text = lines.map((row) =>
		row
			.map((cell, column) => (column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
			.join('  '),
	);
	return [title, ...text].join('\n');
}

/** Compares memory in the second and in the last quarter of a long run, as text with the number of readings. */
export function flatness(run: Measurement): string {
	const quarter = Math.floor(run.rss.length / 4);
	const second = median(run.rss.slice(quarter, 2 * quarter));
	const last = median(run.rss.slice(-quarter));
	const change = ((last - second) / second) * 100;
	return (
		`memory: ${second.toFixed(0)} MiB in the second quarter, ${last.toFixed(0)} MiB in the last ` +
		`(${change >= 0 ? '+' : ''}${change.toFixed(1)} %), ${run.sent.toLocaleString('en')} readings`
	);
}
