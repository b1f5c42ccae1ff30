/** Keys of Milesight's codecs: people counters, their lines and regions, and the history that a device sends later. */
import type { Candidate, Decoded } from '../message/candidate.ts';
import { candidatesOf, isObject, type JsonObject, member, partOf, type VendorTable } from '../vendor/vendor-table.ts';

/**
 * Keys of Milesight's own codecs (github.com/Milesight-IoT/SensorDecoders, read 2026-11-30): VS121 `people_count_all`,
 * `people_in`, `people_out` · VS132 `periodic_counter_…` · VS321 `people_total_counts` (people present, not a running
 * total) · VS350, VS351, VS360 `period_in`, `period_out` · AM and EM `light_level` is a step, not lux, and left out.
 * `people_counter_all` is what older releases of the VS121 codec say.
 */
export const MILESIGHT: VendorTable = {
	people_count_all: { metric: 'peopleCount' },
	people_counter_all: { metric: 'peopleCount' },
	people_total_counts: { metric: 'peopleCount' },
	people_in: { metric: 'peopleIn' },
	people_out: { metric: 'peopleOut' },
	period_in: { metric: 'peopleIn' },
	period_out: { metric: 'peopleOut' },
	periodic_counter_in: { metric: 'peopleIn' },
	periodic_counter_out: { metric: 'peopleOut' },
};

/**
 * Parts of one device that count by themselves: lines of VS133 and VS135, regions of those and of VS121. Each is a
 * sensor
 * `{id}.{part}`. VS121's `region_1` (without `_count`) is 1 for an occupied region, and no count.
 */
const PARTS: readonly { pattern: RegExp; table: VendorTable }[] = [
	{
		pattern: /^(line_\d{1,2})_(period_in|period_out)$/,
		table: { period_in: { metric: 'peopleIn' }, period_out: { metric: 'peopleOut' } },
	},
	{ pattern: /^(region_\d{1,2})_(count)$/, table: { count: { metric: 'peopleCount' } } },
];

/** Present where a message interrupts a period because a limit was crossed: the period's own report comes later. */
const PERIOD_ALARM = 'period_count_alarm';
const PERIOD = /(^|_)period_(in|out)$/;

const MOST_HISTORY = 256;
/** Epoch seconds and milliseconds that a device of today can mean: 2014 to 2096. */
const SECONDS = [1.4e9, 4e9] as const;

/** A decoded payload without the crossings that the report at the end of the period says again. */
export function withoutInterim(payload: JsonObject): JsonObject {
	if (!Object.hasOwn(payload, PERIOD_ALARM)) return payload;
	return Object.fromEntries(Object.entries(payload).filter(([key]) => !PERIOD.test(key)));
}

/** Whether a key is the count of a line or region. */
export function isPartKey(key: string): boolean {
	return PARTS.some(({ pattern }) => pattern.test(key));
}

/** Readings of a device's lines and regions. */
export function partReadings(payload: JsonObject, sensorId: string | undefined, shared: Candidate): Decoded[] {
	return PARTS.flatMap(({ pattern, table }) => {
		const parts = new Map<string, JsonObject>();
		for (const [key, value] of Object.entries(payload)) {
			const [, part, kind] = pattern.exec(key) ?? [];
			if (part === undefined) continue;
			parts.set(part, { ...parts.get(part), [kind!]: value });
		}
		return [...parts].flatMap(([part, values]) =>
			candidatesOf(values, table, { sensorId: partOf(sensorId, part), ...shared }),
		);
	});
}

/**
 * What a device stored while it had no network and sends later, `history: [{timestamp, …}]`: each entry with its own
 * time. The time also recognizes an entry that comes again.
 */
export function historyOf(payload: JsonObject): { entry: JsonObject; shared: Candidate }[] {
	const history = member(payload, 'history');
	if (!Array.isArray(history)) return [];
	return history.slice(0, MOST_HISTORY).flatMap((entry: unknown) => {
		const shared = isObject(entry) ? ownTime(entry) : undefined;
		return isObject(entry) && shared ? [{ entry, shared }] : [];
	});
}

/** `observedAt`, `seq` and `boot` from the time that a device itself gives in `timestamp`; undefined without one. */
export function ownTime(payload: JsonObject): Candidate | undefined {
	const timestamp = member(payload, 'timestamp');
	if (typeof timestamp !== 'number') return undefined;
	const seconds = timestamp > SECONDS[1] ? timestamp / 1000 : timestamp;
	if (seconds < SECONDS[0] || seconds > SECONDS[1]) return undefined;
	return { observedAt: Math.round(seconds * 1000), seq: Math.round(seconds), boot: 'timestamp' };
}
