import type { LogRecord } from '@crowdvision/log';
import { restamp } from './restamp.ts';

/**
 * A stretch of the log whose readings were received while nobody knew the time. Each of them bears the number of its
 * era; what is known of the era tells what its times become on their way out.
 */
export interface Era {
	number: number;
	/** The machine's start it belongs to: only there can its times still be found out. */
	boot: string | undefined;
	/** What was taken for the time then is the monotonic clock plus this, ms. */
	offset: number;
	/** The monotonic clock when it began, ms. */
	begun: number;
	/** Its readings are at this offset of the log or later, */
	from: number;
	/** and before this one, once it has ended. */
	to?: number;
	/** What has to be added to its times, ms; undefined while that is unknown. */
	delta?: number;
}

const MOST_ERAS = 100;
const MARK = Buffer.from('"era":');

/** The eras that the log may still hold readings of, oldest first. */
export class Eras {
	#eras: Era[];

	constructor(eras: readonly Era[]) {
		this.#eras = eras.map((era) => ({ ...era }));
	}

	get all(): readonly Era[] {
		return this.#eras;
	}

	/** The one under way, if there is one. */
	get current(): Era | undefined {
		const newest = this.#eras.at(-1);
		return newest?.to === undefined ? newest : undefined;
	}

	begin(era: Omit<Era, 'number'>): Era {
		const begun = { ...era, number: (this.#eras.at(-1)?.number ?? 0) + 1 };
		this.#eras = [...this.#eras, begun].slice(-MOST_ERAS);
		return begun;
	}

	/**
	 * Forgets what lies before `start`, the first offset that the log holds; the newest stays, since numbers go on from
	 * it.
	 */
	forgetBefore(start: number): void {
		this.#eras = this.#eras.filter(
			(era, index) => index === this.#eras.length - 1 || (era.to ?? Number.POSITIVE_INFINITY) > start,
		);
	}

	/** Gives a reading of an era the times it should have, as far as they are known by now, and takes the number away. */
	amend(record: LogRecord): void {
		if (this.#eras.length === 0) return;
		const { offset, payload } = record;
		if (
			offset < this.#eras[0]!.from ||
			offset >= (this.#eras.at(-1)!.to ?? Number.POSITIVE_INFINITY) ||
			!payload.includes(MARK)
		)
			return;
		const reading = JSON.parse(payload.toString()) as Parameters<typeof restamp>[0];
		const era = this.#eras.find(({ number }) => number === reading.era);
		record.at += era?.delta ?? 0;
		record.payload = Buffer.from(JSON.stringify(restamp(reading, era?.delta)));
	}
}
