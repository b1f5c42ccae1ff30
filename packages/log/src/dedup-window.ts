import type { DedupKey } from './record.ts';

/** `restart`: the same seq with other content from a sender that names no boot. `conflict`: the same with a boot. Both are taken. */
export type Verdict = 'new' | 'duplicate' | 'restart' | 'conflict';

export interface DedupOptions {
	/** A record is remembered for so long, in time the log was open, not by the wall clock. */
	maxAgeSeconds: number;
	/** And while it is among the last so many of its source. */
	maxPerSource: number;
	/** Over all sources; beyond it every source is cut to an equal share. */
	maxEntries: number;
}

export const DEDUP_DEFAULTS: DedupOptions = { maxAgeSeconds: 600, maxPerSource: 10_000, maxEntries: 1_000_000 };

const FIRST_CAPACITY = 16;
const NO_BOOT = 0;

/**
 * The last records of one source, as rings of plain numbers: 20 bytes a record. `generation` tells one boot from the next, also
 * where the sender does not name it and a restart was only inferred.
 */
class SourceWindow {
	seqs = new Float64Array(FIRST_CAPACITY);
	hashes = new Uint32Array(FIRST_CAPACITY);
	seconds = new Uint32Array(FIRST_CAPACITY);
	boots = new Uint32Array(FIRST_CAPACITY);
	head = 0;
	count = 0;
	/** Highest seq in the window: anything above it is new without a search. */
	highest = -1;
	generation = 0;

	#grow(): void {
		const capacity = this.seqs.length;
		const unroll = <A extends Float64Array | Uint32Array>(from: A, to: A): A => {
			const split = capacity - this.head;
			to.set(from.subarray(this.head), 0);
			to.set(from.subarray(0, this.head), split);
			return to;
		};
		this.seqs = unroll(this.seqs, new Float64Array(capacity * 2));
		this.hashes = unroll(this.hashes, new Uint32Array(capacity * 2));
		this.seconds = unroll(this.seconds, new Uint32Array(capacity * 2));
		this.boots = unroll(this.boots, new Uint32Array(capacity * 2));
		this.head = 0;
	}

	push(seq: number, hash: number, seconds: number, boot: number): void {
		if (this.count === this.seqs.length) this.#grow();
		const slot = (this.head + this.count) & (this.seqs.length - 1);
		this.seqs[slot] = seq;
		this.hashes[slot] = hash;
		this.seconds[slot] = seconds;
		this.boots[slot] = boot;
		this.count++;
		if (seq > this.highest) this.highest = seq;
	}

	dropOldest(): void {
		this.head = (this.head + 1) & (this.seqs.length - 1);
		this.count--;
	}

	dropNewest(): void {
		this.count--;
	}

	oldestSeconds(): number {
		return this.seconds[this.head]!;
	}
}

/**
 * Recognizes redeliveries. Keys come in through `remember` in the order of the log, so a window rebuilt from the records equals
 * the one that was lost with the process.
 */
export class DedupWindow {
	readonly #options: DedupOptions;
	readonly #sources = new Map<string, SourceWindow>();
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
	look(key: DedupKey): Verdict {
		const window = this.#sources.get(key.source);
		if (!window || window.count === 0 || key.seq > window.highest) return 'new';
		const boot = bootNumber(key.boot, 0);
		const current = bootNumber(key.boot, window.generation);
		const hash = key.hash >>> 0;
		const mask = window.seqs.length - 1;
		let verdict: Verdict = 'new';
		for (let i = window.count - 1; i >= 0; i--) {
			const slot = (window.head + i) & mask;
			if (window.seqs[slot] !== key.seq) continue;
			const slotBoot = window.boots[slot]!;
			const sameSender = key.boot === '' ? isUnnamed(slotBoot) : slotBoot === boot;
			if (!sameSender) continue;
			if (window.hashes[slot] === hash) return 'duplicate';
			if (slotBoot === current) verdict = key.boot === '' ? 'restart' : 'conflict';
		}
		return verdict;
	}

	/** Takes a key in. `seconds` must not fall from one call to the next. Returns what `look` says of it. */
	remember(key: DedupKey, seconds: number): Verdict {
		const verdict = this.look(key);
		let window = this.#sources.get(key.source);
		if (!window) {
			window = new SourceWindow();
			this.#sources.set(key.source, window);
		}
		if (verdict === 'restart') window.generation = (window.generation + 1) & 0x7fff_ffff;
		window.push(key.seq, key.hash >>> 0, seconds, bootNumber(key.boot, window.generation));
		this.#entries++;
		const oldest = seconds - this.#options.maxAgeSeconds;
		while (window.count > this.#options.maxPerSource || (window.count > 1 && window.oldestSeconds() < oldest)) {
			window.dropOldest();
			this.#entries--;
		}
		if (this.#entries > this.#options.maxEntries) this.#shrink(oldest);
		return verdict;
	}

	/** Takes back the newest record of a source, whose write failed. */
	forgetNewest(source: string): void {
		const window = this.#sources.get(source);
		if (!window || window.count === 0) return;
		window.dropNewest();
		this.#entries--;
	}

	#shrink(oldest: number): void {
		for (const [source, window] of this.#sources) {
			while (window.count > 0 && window.oldestSeconds() < oldest) {
				window.dropOldest();
				this.#entries--;
			}
			if (window.count === 0) this.#sources.delete(source);
		}
		if (this.#entries <= this.#options.maxEntries * 0.9) return;
		const share = Math.max(1, Math.floor((this.#options.maxEntries * 0.8) / this.#sources.size));
		for (const window of this.#sources.values()) {
			while (window.count > share) {
				window.dropOldest();
				this.#entries--;
			}
		}
		for (const source of this.#sources.keys()) {
			if (this.#entries <= this.#options.maxEntries) break;
			this.#entries -= this.#sources.get(source)!.count;
			this.#sources.delete(source);
		}
	}

	/** Every entry, oldest first within its source. For the snapshot. */
	*export(): Generator<{
		source: string;
		generation: number;
		count: number;
		entry: (index: number) => [seq: number, hash: number, seconds: number, boot: number];
	}> {
		for (const [source, window] of this.#sources) {
			const mask = window.seqs.length - 1;
			yield {
				source,
				generation: window.generation,
				count: window.count,
				entry: (index) => {
					const slot = (window.head + index) & mask;
					return [window.seqs[slot]!, window.hashes[slot]!, window.seconds[slot]!, window.boots[slot]!];
				},
			};
		}
	}

	/** Puts back what `export` gave. */
	import(source: string, generation: number, entries: Iterable<[seq: number, hash: number, seconds: number, boot: number]>): void {
		const window = new SourceWindow();
		window.generation = generation;
		for (const [seq, hash, seconds, boot] of entries) window.push(seq, hash, seconds, boot);
		this.#sources.set(source, window);
		this.#entries += window.count;
	}
}

/** Unnamed boots count generations in the lower half of the numbers, named ones hash into the upper half. */
function bootNumber(boot: string, generation: number): number {
	if (boot === '') return NO_BOOT + generation;
	let hash = 0x811c9dc5;
	for (let i = 0; i < boot.length; i++) hash = Math.imul(hash ^ boot.charCodeAt(i), 0x01000193);
	return (hash | 0x8000_0000) >>> 0;
}

function isUnnamed(bootNumber: number): boolean {
	return bootNumber < 0x8000_0000;
}
