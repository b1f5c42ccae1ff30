import type { StreamName } from '@crowdvision/contracts';
import type { Logger } from '../logger.ts';

/** What this needs of the bus. */
interface Positions {
	position(stream: StreamName): Promise<string>;
	compare(a: string, b: string): number;
}

/**
 * Whether position `a` lies behind `b`. False where one of them is of another kind of bus and they cannot be compared.
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
 * How far a consumer has taken a stream in. The consumer keeps it beside its effects, in the same transaction; so what
 * is given again after a crash is known by its position.
 */
export class StreamProgress {
	readonly #bus: Positions;
	readonly #stream: StreamName;
	readonly #readKept: () => Promise<string | undefined>;
	readonly #logger: Logger;
	#at: string | undefined;

	constructor(bus: Positions, stream: StreamName, readKept: () => Promise<string | undefined>, logger: Logger) {
		this.#bus = bus;
		this.#stream = stream;
		this.#readKept = readKept;
		this.#logger = logger;
	}

	/**
	 * Where it stands. What was kept may be of another stream (the bus was changed, or lost its data): that is found out
	 * the first time.
	 */
	async current(): Promise<string> {
		this.#at ??= await this.#kept();
		return this.#at;
	}

	/** Call it when the transaction is done. */
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

	async #kept(): Promise<string> {
		const kept = await this.#readKept();
		if (kept === undefined) return START;
		const end = await this.#bus.position(this.#stream);
		if (this.#comparable(kept, end) && !this.isAfter(kept, end)) return kept;
		this.#logger.warn(
			{ kept, end, stream: this.#stream },
			'the stream does not reach to what was taken in already: it is another one, beginning anew',
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
