import type { StreamName } from '@crowdvision/contracts';
import type { Logger } from '../logger.ts';

/** The part of the bus that this needs. */
interface Positions {
	position(stream: StreamName): Promise<string>;
	compare(a: string, b: string): number;
}

/**
 * Whether position `a` comes after `b`. False if they cannot be compared, being positions of different kinds of bus.
 */
export function isAfter(bus: Pick<Positions, 'compare'>, a: string, b: string): boolean {
	try {
		return bus.compare(a, b) > 0;
	} catch {
		return false;
	}
}

/** Before every entry of a stream. */
const START = '0';

/**
 * How far a consumer has processed a stream. The consumer stores it with its effects, in the same transaction, so that
 * it recognizes by position what is delivered again after a crash.
 */
export class StreamProgress {
	readonly #bus: Positions;
	readonly #stream: StreamName;
	readonly #readStored: () => Promise<string | undefined>;
	readonly #logger: Logger;
	#at: string | undefined;

	constructor(bus: Positions, stream: StreamName, readStored: () => Promise<string | undefined>, logger: Logger) {
		this.#bus = bus;
		this.#stream = stream;
		this.#readStored = readStored;
		this.#logger = logger;
	}

	/**
	 * The position up to which the stream is processed. On the first call the stored position is checked: it may belong
	 * to another stream, if the bus was replaced or lost its data; then processing starts over.
	 */
	async current(): Promise<string> {
		this.#at ??= await this.#stored();
		return this.#at;
	}

	/** Call it once the transaction is committed. */
	moved(to: string): void {
		this.#at = to;
	}

	/** The later of two positions. */
	later(a: string, b: string): string {
		return this.isAfter(a, b) ? a : b;
	}

	isAfter(a: string, b: string): boolean {
		return isAfter(this.#bus, a, b);
	}

	async #stored(): Promise<string> {
		const stored = await this.#readStored();
		if (stored === undefined) return START;
		const end = await this.#bus.position(this.#stream);
		if (this.#comparable(stored, end) && !this.isAfter(stored, end)) return stored;
		this.#logger.warn(
			{ stored, end, stream: this.#stream },
			'the stream ends before the stored position, so it is another stream: starting over',
		);
		return START;
	}

	#comparable(a: string, b: string): boolean {
		try {
			this.#bus.compare(a, b);
			return true;
		} catch {
			return false;
		}
	}
}
