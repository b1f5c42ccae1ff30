/** The ranges of the log with readings whose times must be corrected. */
import type { LogRecord } from '@crowdvision/log';
import { restamp } from './restamp.ts';

/**
 * A range of the log whose readings were received while the time was unknown. Each of them carries the era's number;
 * their times are corrected when they are read.
 */
export interface Era {
	number: number;
	/** The boot of the machine. The era's times can be determined only during that boot. */
	boot: string | undefined;
	/** The assumed time minus the monotonic clock, ms. */
	offset: number;
	/** The monotonic clock at the start of the era, ms. */
	begun: number;
	/** First offset of the log that belongs to the era. */
	from: number;
	/** First offset after the era, once it has ended. */
	to?: number;
	/** What must be added to its times, ms; undefined while that is unknown. */
	delta?: number;
}

const MAX_ERAS = 100;
const MARK = Buffer.from('"era":');

/** The eras of which the log may still hold readings, oldest first. */
export class Eras {
	#eras: Era[];

	constructor(eras: readonly Era[]) {
		this.#eras = eras.map((era) => ({ ...era }));
	}

	get all(): readonly Era[] {
		return this.#eras;
	}

	/** The era that has not ended, if there is one. */
	get current(): Era | undefined {
		const newest = this.#eras.at(-1);
		return newest?.to === undefined ? newest : undefined;
	}

	/** Starts an era and gives it the next number. */
	begin(era: Omit<Era, 'number'>): Era {
		const begun = { ...era, number: (this.#eras.at(-1)?.number ?? 0) + 1 };
		this.#eras = [...this.#eras, begun].slice(-MAX_ERAS);
		return begun;
	}

	/**
	 * Forgets the eras before `start`, the first offset that the log holds. The newest era stays, as the next number is
	 * derived from it.
	 */
	forgetBefore(start: number): void {
		this.#eras = this.#eras.filter(
			(era, index) => index === this.#eras.length - 1 || (era.to ?? Number.POSITIVE_INFINITY) > start,
		);
	}

	/** Whether `amend` may change the reading at this offset. */
	mayAmend(offset: number): boolean {
		return (
			this.#eras.length > 0 &&
			offset >= this.#eras[0]!.from &&
			offset < (this.#eras.at(-1)!.to ?? Number.POSITIVE_INFINITY)
		);
	}

	/** Corrects the times of a reading of an era, as far as they are known, and removes the era's number. */
	amend(record: LogRecord): void {
		const { offset, payload } = record;
		if (!this.mayAmend(offset) || !payload.includes(MARK)) return;
		const reading = JSON.parse(payload.toString()) as Parameters<typeof restamp>[0];
		const era = this.#eras.find(({ number }) => number === reading.era);
		record.at += era?.delta ?? 0;
		record.payload = Buffer.from(JSON.stringify(restamp(reading, era?.delta)));
	}
}
