import { type Combination, combineSensors, holdMs, type MetricDefinition } from '@crowdvision/contracts';
import type { Sample } from '@crowdvision/store';
import { addValue, emptyTally, type Tally } from './tally.ts';

/** A span of time in epoch ms; `end` is not included. */
export interface Window {
	start: number;
	end: number;
}

/** How the samples of a room, or of one of its sensors, become one value. */
export interface Rule extends Combination {
	/** The counter of a sensor; default: each sensor is one. */
	counterOf?: (sensor: { sensorId: string }) => string;
}

/**
 * A room's value as a function of time, built from its sensors' samples and summarized per window. A sample applies
 * until the next sample of its sensor, but no longer than it counts as current. Samples that apply at the same time
 * are combined as the room or the catalog says. The live view shows the same: `roomValue` at a moment equals this
 * function, except that history does not know when a device reported itself offline.
 *
 *   sensor a  ──20───┐     ┌─22──────┐        A flow metric is no such function: each of its samples counts
 *   sensor b     ──30──────────┐              events before it, so samples are only added up.
 *   mean      ─20─25─30────26──22────
 */
export class StepFunction {
	readonly tallies: readonly Tally[];
	readonly #windows: readonly Window[];
	readonly #metric: string;
	readonly #rule: Rule;
	readonly #counterOf: (sensor: { sensorId: string }) => string;
	/** The counters that a sum of the room consists of. */
	readonly #counters = new Set<string>();
	readonly #isFlow: boolean;
	/** Samples that apply, by sensor, the oldest first, each with the moment at which it expires. */
	readonly #current = new Map<string, Sample & { expiry: number }>();
	#value = 0;
	#isIncomplete = false;
	/** Whether a value that it is made of is clipped. */
	#clipped = false;
	/** Everything before this moment is summarized. */
	#at = Number.NEGATIVE_INFINITY;
	/** Index of the first window that does not end before `#at`. */
	#next = 0;

	/** @param windows in order of time, without overlaps */
	constructor(metric: string, { kind }: Pick<MetricDefinition, 'kind'>, rule: Rule, windows: readonly Window[]) {
		this.#rule = rule;
		this.#counterOf = rule.counterOf ?? (({ sensorId }) => sensorId);
		for (const sensorId of rule.sensors ?? []) this.#counters.add(this.#counterOf({ sensorId }));
		this.#isFlow = kind === 'flow';
		this.#metric = metric;
		this.#windows = windows;
		this.tallies = windows.map(emptyTally);
	}

	/** Tells of sensors that have sent something before the samples that are added next. */
	know(sensors: Iterable<string>): void {
		if (!this.#rule.sensors) for (const sensorId of sensors) this.#counters.add(this.#counterOf({ sensorId }));
	}

	/**
	 * Adds the next sample in order of time, beginning with those that still apply at the start of the first window. Of
	 * several samples of one sensor at the same moment, the last counts.
	 */
	add(sample: Sample): void {
		this.know([sample.sensorId]);
		if (this.#rule.isOfRoom && !this.#counters.has(this.#counterOf(sample))) return;
		this.#advance(sample.observedAt);
		this.#current.delete(sample.sensorId);
		const expiry = sample.observedAt + holdMs(this.#metric, sample.freshFor);
		this.#current.set(sample.sensorId, { ...sample, expiry });
		this.#combine();
		const window = this.#windows[this.#next];
		if (!window || sample.observedAt < window.start) return;
		const tally = this.tallies[this.#next]!;
		tally.count++;
		if (!this.#isFlow) return;
		tally.weighted += sample.value;
		addValue(tally, sample.value, sample.observedAt, sample.clipped === true);
	}

	/** Call it after the last sample before the end of the last window. */
	end(): void {
		this.#advance(this.#windows.at(-1)?.end ?? 0);
	}

	#advance(to: number): void {
		while (this.#at < to) {
			const first = this.#nextToExpire();
			if (!first) this.#at = to;
			else {
				const until = Math.min(first.expiry, to);
				if (until > this.#at) this.#addValue(this.#at, until);
				this.#at = Math.max(this.#at, until);
				if (first.expiry > to) break;
				this.#current.delete(first.sensorId);
				this.#combine();
			}
		}
		while (this.#next < this.#windows.length && this.#windows[this.#next]!.end <= to) this.#next++;
	}

	#nextToExpire(): (Sample & { expiry: number }) | undefined {
		let next: (Sample & { expiry: number }) | undefined;
		for (const sample of this.#current.values()) if (!next || sample.expiry < next.expiry) next = sample;
		return next;
	}

	/** The present value applied from `from` to `to`. */
	#addValue(from: number, to: number): void {
		for (let n = this.#next; n < this.#windows.length; n++) {
			const window = this.#windows[n]!;
			if (window.start >= to) break;
			const start = Math.max(from, window.start);
			const ms = Math.min(to, window.end) - start;
			if (ms <= 0) continue;
			const tally = this.tallies[n]!;
			tally.knownMs += ms;
			if (this.#isIncomplete) tally.incompleteMs += ms;
			if (this.#isFlow) continue;
			tally.weighted += this.#value * ms;
			addValue(tally, this.#value, start, this.#clipped);
		}
	}

	#combine(): void {
		const samples = [...this.#current.values()];
		// The value of one sensor is the room's, however values are combined.
		const only = samples.length === 1 ? samples[0] : undefined;
		const combined = only ?? combineSensors(this.#rule, samples, this.#counterOf);
		this.#value = combined?.value ?? 0;
		this.#clipped = combined?.clipped === true;
		const { rule, isOfRoom } = this.#rule;
		if (isOfRoom && rule === 'sum')
			this.#isIncomplete = new Set(samples.map(this.#counterOf)).size < this.#counters.size;
	}
}
