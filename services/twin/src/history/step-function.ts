import {
	combineValues,
	freshMs,
	isToldBefore,
	METRICS,
	type MetricDefinition,
	type MetricKey,
} from '@crowdvision/contracts';
import type { Sample } from '@crowdvision/store';
import { addValue, emptyTally, type Tally } from './tally.ts';

/** Epoch ms; `end` is not included. */
export interface Window {
	start: number;
	end: number;
}

/**
 * A room's value as a function of time, made of its sensors' samples and summed up over windows. A sample holds until
 * its sensor's next one, and no longer than its metric stays fresh; what holds at the same time is combined as the
 * catalog has it. That is what the live view shows, too:
 * `roomValue` at any moment is this function there (but for what a device says of itself, which history does not know:
 * that it is offline).
 *
 *   sensor a  ──20───┐     ┌─22──────┐        a flow metric is no such function: each sample counts
 *   sensor b     ──30──────────┐              what happened before it, so it is only added up
 *   mean      ─20─25─30────26──22────
 */
export class StepFunction {
	readonly tallies: readonly Tally[];
	readonly #windows: readonly Window[];
	readonly #holdMs: number;
	readonly #combine: MetricDefinition['combine'];
	readonly #isFlow: boolean;
	/** Whoever spoke last is at the end, so that whoever falls silent first is at the front. */
	readonly #holding = new Map<string, Sample>();
	#value = 0;
	/** Up to here everything is summed up. */
	#at = Number.NEGATIVE_INFINITY;
	/** The first window that does not end before `#at`. */
	#next = 0;

	/** `windows` in order, and apart from each other. */
	constructor(metric: MetricKey, windows: readonly Window[]) {
		const { combine, kind }: MetricDefinition = METRICS[metric];
		this.#combine = combine;
		this.#isFlow = kind === 'flow';
		this.#holdMs = freshMs(metric);
		this.#windows = windows;
		this.tallies = windows.map(emptyTally);
	}

	/**
	 * Takes the next sample, in order of time, and from one holding time before the first window on. Of a sensor's
	 * samples of the same moment the last counts.
	 */
	take(sample: Sample): void {
		this.#advance(sample.observedAt);
		this.#holding.delete(sample.sensorId);
		this.#holding.set(sample.sensorId, sample);
		this.#value = this.#combined();
		const window = this.#windows[this.#next];
		if (!window || sample.observedAt < window.start) return;
		const tally = this.tallies[this.#next]!;
		tally.count++;
		if (!this.#isFlow) return;
		tally.weighted += sample.value;
		addValue(tally, sample.value, sample.observedAt);
	}

	/** Call it when there are no more samples before the end of the last window. */
	end(): void {
		this.#advance(this.#windows.at(-1)?.end ?? 0);
	}

	#advance(to: number): void {
		while (this.#at < to) {
			const [first] = this.#holding.values();
			if (!first) this.#at = to;
			else {
				const silent = first.observedAt + this.#holdMs;
				const until = Math.min(silent, to);
				if (until > this.#at) this.#add(this.#at, until);
				this.#at = until;
				if (silent > to) break;
				this.#holding.delete(first.sensorId);
				this.#value = this.#combined();
			}
		}
		while (this.#next < this.#windows.length && this.#windows[this.#next]!.end <= to) this.#next++;
	}

	/** The value holds from `from` to `to`. */
	#add(from: number, to: number): void {
		for (let n = this.#next; n < this.#windows.length; n++) {
			const window = this.#windows[n]!;
			if (window.start >= to) break;
			const start = Math.max(from, window.start);
			const ms = Math.min(to, window.end) - start;
			if (ms <= 0) continue;
			const tally = this.tallies[n]!;
			tally.knownMs += ms;
			if (this.#isFlow) continue;
			tally.weighted += this.#value * ms;
			addValue(tally, this.#value, start);
		}
	}

	#combined(): number {
		let told: Sample | undefined;
		for (const sample of this.#holding.values()) if (!told || isToldBefore(this.#combine, sample, told)) told = sample;
		if (!told) return 0;
		return this.#holding.size === 1
			? told.value
			: combineValues(
					this.#combine,
					[...this.#holding.values()].map(({ value }) => value),
					told.value,
				);
	}
}
