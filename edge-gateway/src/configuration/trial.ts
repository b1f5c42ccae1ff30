/** Judges a new configuration by comparing the gateway before and after it. */

/** The state of the gateway at one moment. Counts are since its start. */
export interface Health {
	/** What is wrong, by part: an uplink (relay, a bridge) or a way in. */
	troubles: ReadonlyMap<string, string>;
	received: number;
	rejected: number;
	/** What the ledger cannot account for; 0 when all is well. */
	imbalance: number;
}

export interface TrialOptions {
	/** Length of the trial in observations, of which there is one a second. */
	observations: number;
	/** How many observations in a row trouble, or silence, must last to count. Default: a sixth of the trial. */
	patience?: number;
}

/** Fewer readings than this, before or during the trial, allow no conclusion about their rate or their refusals. */
const ENOUGH_READINGS = 10;
/** The share of refused readings may rise by this much. */
const MAX_MORE_REFUSED = 0.2;
const IMBALANCED_OBSERVATIONS = 3;

/**
 * The trial of a new configuration: compares how the gateway does with how it did before. Trouble that was there before
 * does not count, nor does that of a part that did not exist.
 */
export class Trial {
	readonly #before: readonly Health[];
	readonly #options: Required<TrialOptions>;
	/** For how many observations each part has been in trouble. */
	readonly #troubled = new Map<string, number>();
	#first: Health | undefined;
	#observations = 0;
	#imbalanced = 0;
	#last: Health | undefined;
	#silent = 0;

	/** @param before observations before the trial, oldest first */
	constructor(
		before: readonly Health[],
		{ observations, patience = Math.max(2, Math.ceil(observations / 6)) }: TrialOptions,
	) {
		this.#before = before;
		this.#options = { observations, patience };
	}

	/** Call it once a second. The reason to undo the configuration, `passed` at the end, or undefined before that. */
	observe(now: Health): { reason: string } | 'passed' | undefined {
		this.#first ??= now;
		this.#observations++;
		const reason = this.#trouble(now) ?? this.#imbalance(now) ?? this.#refusals(now) ?? this.#silence(now);
		this.#last = now;
		if (reason !== undefined) return { reason };
		return this.#observations >= this.#options.observations ? 'passed' : undefined;
	}

	#trouble(now: Health): string | undefined {
		const before = this.#before.at(-1);
		for (const part of this.#troubled.keys()) if (!now.troubles.has(part)) this.#troubled.delete(part);
		for (const [part, trouble] of now.troubles) {
			if (!before || before.troubles.has(part)) continue;
			const observations = (this.#troubled.get(part) ?? 0) + 1;
			this.#troubled.set(part, observations);
			if (observations >= this.#options.patience) return `${part} worked before and no longer does: ${trouble}`;
		}
		return undefined;
	}

	#imbalance(now: Health): string | undefined {
		const wasBalanced = this.#before.every(({ imbalance }) => imbalance === 0);
		// A reading that is between two counts at one observation is counted at the next.
		this.#imbalanced = wasBalanced && now.imbalance !== 0 ? this.#imbalanced + 1 : 0;
		return this.#imbalanced >= IMBALANCED_OBSERVATIONS
			? `the ledger no longer balances: ${now.imbalance} readings are not accounted for`
			: undefined;
	}

	#refusals(now: Health): string | undefined {
		const since = shareRefused(this.#first!, now);
		if (since === undefined) return undefined;
		const [oldest, newest] = [this.#before[0], this.#before.at(-1)];
		const before = (oldest && newest && shareRefused(oldest, newest)) ?? 0;
		if (since - before <= MAX_MORE_REFUSED) return undefined;
		return `${Math.round(since * 100)} % of the readings are refused, before it was ${Math.round(before * 100)} %`;
	}

	#silence(now: Health): string | undefined {
		const [oldest, newest] = [this.#before[0], this.#before.at(-1)];
		if (!oldest || !newest) return undefined;
		const usual = (newest.received - oldest.received) / this.#before.length;
		this.#silent = this.#last && now.received === this.#last.received ? this.#silent + 1 : 0;
		// A pause as long as the usual one between readings is no silence.
		const missed = usual * this.#silent;
		return this.#silent >= this.#options.patience && missed >= ENOUGH_READINGS
			? 'no readings arrive any more'
			: undefined;
	}
}

/** Undefined for too few readings. */
function shareRefused(from: Health, to: Health): number | undefined {
	const received = to.received - from.received;
	return received < ENOUGH_READINGS ? undefined : (to.rejected - from.rejected) / received;
}
