import type { DedupKey } from '../segment/record.ts';
import { SourceWindow } from './source-window.ts';

/**
 * What the window knows of a key. `restart`: its seq is known with other content, from a sender that names no boot.
 * `conflict`: the same with a named boot. Records of both are stored.
 */
export type Verdict = 'new' | 'duplicate' | 'restart' | 'conflict';

export interface DedupOptions {
	/** How long a record is remembered; counted while the log is open, not by the wall clock. */
	maxAgeSeconds: number;
	/** Number of records remembered per source, the latest ones. */
	maxPerSource: number;
	/** Records over all sources; beyond this every source is cut to an equal share. */
	maxEntries: number;
	/** Beyond this the sources that were silent the longest are forgotten. */
	maxSources: number;
}

export const DEDUP_DEFAULTS: DedupOptions = {
	maxAgeSeconds: 600,
	maxPerSource: 10_000,
	maxEntries: 1_000_000,
	maxSources: 20_000,
};

/** When a bound is reached the window shrinks to this share of it, so that the next record does not repeat the work. */
const HEADROOM = 0.9;

/**
 * Recognizes redeliveries. `remember` adds keys in the order of the log. They are tentative until `confirm` reports
 * that their records are on disk, and only then evict older ones, so that a failed write removes nothing. A window
 * rebuilt from the records equals the one lost with the process. `seconds` is log time and must not decrease between
 * calls.
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

	/** Looks a key up without remembering it. */
	lookUp(key: DedupKey, seconds: number): Verdict {
		const window = this.#sources.get(key.source);
		return window ? this.#verdict(window, key, seconds) : 'new';
	}

	/** Adds a key, tentatively. Returns what `lookUp` would. */
	remember(key: DedupKey, seconds: number): Verdict {
		let window = this.#sources.get(key.source);
		if (!window) {
			window = new SourceWindow();
			this.#sources.set(key.source, window);
		}
		const verdict = this.#verdict(window, key, seconds);
		if (verdict === 'restart') window.generation = (window.generation + 1) & 0x7fff_ffff;
		window.push(key.seq, key.hash >>> 0, seconds, bootNumber(key.boot, window.generation));
		window.tentative++;
		this.#entries++;
		this.#tentative.push(window);
		return verdict;
	}

	/** Call it when the records of the oldest `count` tentative keys are on disk. */
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

	/** Removes every tentative key, because the writes failed. */
	rollback(): void {
		if (this.#tentative.length === 0) return;
		for (const window of this.#tentative) {
			this.#entries -= window.tentative;
			window.rollback();
		}
		this.#tentative.length = 0;
		for (const [source, { count }] of this.#sources) if (count === 0) this.#sources.delete(source);
	}

	#verdict(window: SourceWindow, key: DedupKey, seconds: number): Verdict {
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

	#trim(window: SourceWindow, seconds: number, max = this.#options.maxPerSource): void {
		const oldest = seconds - this.#options.maxAgeSeconds;
		for (let durable = window.count - window.tentative; durable > 0; durable--) {
			if (durable <= max && window.oldestSeconds() >= oldest) break;
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

	/** Keeps the `max` sources with the latest records. */
	#forgetSilent(max: number): void {
		const silent = [...this.#sources]
			.filter(([, { tentative }]) => tentative === 0)
			.sort(([, a], [, b]) => a.newestSeconds() - b.newestSeconds());
		for (const [source, window] of silent.slice(0, Math.max(0, this.#sources.size - max))) {
			this.#entries -= window.count;
			this.#sources.delete(source);
		}
	}

	/** The window of each source, for a snapshot. */
	export(): ReadonlyMap<string, SourceWindow> {
		return this.#sources;
	}

	/** Restores a source's window from a snapshot taken at `seconds`. */
	import(source: string, window: SourceWindow, seconds: number): void {
		this.#entries += window.count;
		this.#trim(window, seconds);
		if (window.count > 0) this.#sources.set(source, window);
	}
}

/** Unnamed boots use generations, in the lower half of 32-bit numbers; named boots are hashed into the upper half. */
function bootNumber(boot: string, generation: number): number {
	if (boot === '') return generation;
	let hash = 0x811c9dc5;
	for (let i = 0; i < boot.length; i++) hash = Math.imul(hash ^ boot.charCodeAt(i), 0x01000193);
	return (hash | 0x8000_0000) >>> 0;
}

function isUnnamed(bootNumber: number): boolean {
	return bootNumber < 0x8000_0000;
}
