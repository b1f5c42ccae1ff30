import type { ReadingGap } from '@crowdvision/contracts';

/** A gap as the log reports it. Offsets from `from` to `to`, both included; times in epoch ms. */
interface Missing {
	from: number;
	to: number;
	reason: ReadingGap['reason'] | 'consumed';
	firstAt?: number;
	lastAt?: number;
}

/**
 * Collects the gaps before the next reading while a log is read, one marker per reason, so that they can travel with
 * that reading. What every consumer had read before it was removed (`consumed`) is not missing.
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
