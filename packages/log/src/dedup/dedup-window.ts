import type { DedupKey } from '../segment/record.ts';
import { SourceWindow } from './source-window.ts';

/**
 * `restart`: the same seq with other content from a sender that names no boot. `conflict`: the same with a boot. Both
 * are taken.
 */
export type Verdict = 'new' | 'duplicate' | 'restart' | 'conflict';

export interface DedupOptions {
	/** A record is remembered for so long, in time the log was open, not by the wall clock. */
	maxAgeSeconds: number;
	/** And while it is among the last so many of its source. */
	maxPerSource: number;
	/** Over all sources; beyond it every source is cut to an equal share. */
	maxEntries: number;
	/** Beyond it those that were silent the longest are forgotten. */
	maxSources: number;
}

export const DEDUP_DEFAULTS: DedupOptions = {
	maxAgeSeconds: 600,
	maxPerSource: 10_000,
	maxEntries: 1_000_000,
	maxSources: 20_000,
};

/** A bound that was hit is undershot by so much, so that the work is not done again for the next record. */
const HEADROOM = 0.9;

/**
 * Recognizes redeliveries. Keys come in through `remember` in the order of the log, and count as tentative until
 * `confirm` says that their records are on disk: only then do they push older ones out, so a write that fails takes
 * nothing away. A window rebuilt from the records equals the one that was lost with the process. `seconds` is the log's
 * own time and must not fall from one call to the next.
 */
export class DedupWindow {
	readonly #options: DedupOptions;
	readonly #sources = new Map<string, SourceWindow>();
	/** The source of each tentative key, in order. */
	readonly #tentative: SourceWindow[] = [];
	#entries = 0;

	constructor(options: Partial<DedupOptions> = {}) {
		this.#options = { ...DEDUP_DEFAULTS, ...options };
	}

	get entries(): number {
		return this.#entries;
	}

	get sources(): number {
		return this.#sources.size;
	}

	/** Judges a key without remembering it. */
	look(key: DedupKey, seconds: number): Verdict {
		const window = this.#sources.get(key.source);
		return window ? this.#judge(window, key, seconds) : 'new';
	}

	/** Takes a key in, tentatively. Returns what `look` says of it. */
	remember(key: DedupKey, seconds: number): Verdict {
		let window = this.#sources.get(key.source);
		if (!window) {
			window = new SourceWindow();
			this.#sources.set(key.source, window);
		}
		const verdict = this.#judge(window, key, seconds);
		if (verdict === 'restart') window.generation = (window.generation + 1) & 0x7fff_ffff;
		window.push(key.seq, key.hash >>> 0, seconds, bootNumber(key.boot, window.generation));
		window.tentative++;
		this.#entries++;
		this.#tentative.push(window);
		return verdict;
	}

	/** The oldest `count` tentative keys are on disk. */
	confirm(count: number): void {
		let seconds = 0;
		for (let i = 0; i < count; i++) {
			const window = this.#tentative[i]!;
			const slot = window.slot(window.count - window.tentative);
			const boot = window.boots[slot]!;
			if (isUnnamed(boot)) window.durableGeneration = boot;
			window.tentative--;
			seconds = window.seconds[slot]!;
			this.#trim(window, seconds);
		}
		this.#tentative.splice(0, count);
		if (this.#entries > this.#options.maxEntries || this.#sources.size > this.#options.maxSources)
			this.#shrink(seconds);
	}

	/** Takes back every tentative key: the writes failed. */
	rollback(): void {
		if (this.#tentative.length === 0) return;
		for (const window of this.#tentative) {
			this.#entries -= window.tentative;
			window.rollback();
		}
		this.#tentative.length = 0;
		for (const [source, { count }] of this.#sources) if (count === 0) this.#sources.delete(source);
	}

	#judge(window: SourceWindow, key: DedupKey, seconds: number): Verdict {
		if (key.seq > window.highest) return 'new';
		const { seqs, hashes, boots } = window;
		const oldest = seconds - this.#options.maxAgeSeconds;
		const boot = bootNumber(key.boot, window.generation);
		const hash = key.hash >>> 0;
		let verdict: Verdict = 'new';
		for (let i = window.count - 1; i >= 0; i--) {
			const slot = window.slot(i);
			if (window.seconds[slot]! < oldest) break;
			if (seqs[slot] !== key.seq) continue;
			const slotBoot = boots[slot]!;
			const sameSender = key.boot === '' ? isUnnamed(slotBoot) : slotBoot === boot;
			if (!sameSender) continue;
			if (hashes[slot] === hash) return 'duplicate';
			if (slotBoot === boot) verdict = key.boot === '' ? 'restart' : 'conflict';
		}
		return verdict;
	}

	#trim(window: SourceWindow, seconds: number, most = this.#options.maxPerSource): void {
		const oldest = seconds - this.#options.maxAgeSeconds;
		for (let durable = window.count - window.tentative; durable > 0; durable--) {
			if (durable <= most && window.oldestSeconds() >= oldest) break;
			window.dropOldest();
			this.#entries--;
		}
	}

	#shrink(seconds: number): void {
		const { maxEntries, maxSources } = this.#options;
		for (const [source, window] of this.#sources) {
			this.#trim(window, seconds);
			if (window.count === 0) this.#sources.delete(source);
		}
		if (this.#sources.size > maxSources) this.#forgetSilent(Math.floor(maxSources * HEADROOM));
		if (this.#entries <= maxEntries) return;
		if (this.#sources.size > maxEntries * HEADROOM) this.#forgetSilent(Math.floor((maxEntries * HEADROOM) / 2));
		const share = Math.max(1, Math.floor((maxEntries * HEADROOM) / this.#sources.size));
		for (const window of this.#sources.values()) this.#trim(window, seconds, share);
	}

	/** Leaves the `most` sources that were heard of last. */
	#forgetSilent(most: number): void {
		const silent = [...this.#sources]
			.filter(([, { tentative }]) => tentative === 0)
			.sort(([, a], [, b]) => a.newestSeconds() - b.newestSeconds());
		for (const [source, window] of silent.slice(0, Math.max(0, this.#sources.size - most))) {
			this.#entries -= window.count;
			this.#sources.delete(source);
		}
	}

	/** Every source's window. For the snapshot. */
	export(): ReadonlyMap<string, SourceWindow> {
		return this.#sources;
	}

	/** Puts back what a snapshot of `export` held, as true at `seconds`. */
	import(source: string, window: SourceWindow, seconds: number): void {
		this.#entries += window.count;
		this.#trim(window, seconds);
		if (window.count > 0) this.#sources.set(source, window);
	}
}

/** Unnamed boots count generations in the lower half of the numbers, named ones hash into the upper half. */
function bootNumber(boot: string, generation: number): number {
	if (boot === '') return generation;
	let hash = 0x811c9dc5;
	for (let i = 0; i < boot.length; i++) hash = Math.imul(hash ^ boot.charCodeAt(i), 0x01000193);
	return (hash | 0x8000_0000) >>> 0;
}

function isUnnamed(bootNumber: number): boolean {
	return bootNumber < 0x8000_0000;
}
