import type { ReadingGap } from '@crowdvision/contracts';

/** A gap as the log tells of it. */
interface Missing {
	from: number;
	to: number;
	reason: ReadingGap['reason'] | 'consumed';
	firstAt?: number;
	lastAt?: number;
}

/**
 * What is missing before a reading, on its way to whoever is given that reading: collected while a log is read, one
 * marker for each reason. What every consumer had passed before it was let go is not missing.
 */
export class GapMarker {
	readonly #gatewayId: string;
	readonly #logId: string;
	readonly #byReason = new Map<
		ReadingGap['reason'],
		{ from: number; to: number; count: number; firstAt?: number; lastAt?: number }
	>();

	constructor(gatewayId: string, logId: string) {
		this.#gatewayId = gatewayId;
		this.#logId = logId;
	}

	add(gaps: readonly Missing[]): void {
		for (const { from, to, reason, firstAt, lastAt } of gaps) {
			if (reason === 'consumed') continue;
			const known = this.#byReason.get(reason);
			const first = known?.firstAt ?? firstAt;
			this.#byReason.set(reason, {
				from: known?.from ?? from,
				to,
				count: (known?.count ?? 0) + to - from + 1,
				...(first !== undefined && { firstAt: first }),
				...(lastAt !== undefined && { lastAt }),
			});
		}
	}

	get empty(): boolean {
		return this.#byReason.size === 0;
	}

	/** A JSON array of `ReadingGap`. */
	toJson(): string {
		const id = (offset: number) => `${this.#logId}-${offset}`;
		return JSON.stringify(
			[...this.#byReason].map(([reason, { from, to, ...rest }]) => ({
				gatewayId: this.#gatewayId,
				from: id(from),
				to: id(to),
				reason,
				...rest,
			})),
		);
	}

	clear(): void {
		this.#byReason.clear();
	}
}
