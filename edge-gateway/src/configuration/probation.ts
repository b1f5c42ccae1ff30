/** How the gateway does at one moment. Counts are since its start. */
export interface Health {
	/** What is wrong, by part: an uplink (relay, a bridge) or a way in. */
	troubles: ReadonlyMap<string, string>;
	received: number;
	rejected: number;
	/** What the ledger cannot account for; 0 when all is well. */
	imbalance: number;
}

export interface ProbationOptions {
	/** How many looks a trial takes; one look a second. */
	looks: number;
	/** A trouble, or silence, that lasts for so many looks counts. Default: a sixth of the trial. */
	patience?: number;
}

/** Fewer readings than this, before or since, say nothing about how many come or how many are refused. */
const ENOUGH = 10;
/** So much more of what comes may be refused than before. */
const MORE_REFUSED = 0.2;
const IMBALANCED_LOOKS = 3;

/**
 * Judges a new configuration by what the gateway did before it and does since: `look` is called once a second. Trouble
 * that was there before is not its fault, and neither is that of a part that did not work before or was not there.
 */
export class Probation {
	readonly #before: readonly Health[];
	readonly #options: Required<ProbationOptions>;
	readonly #troubled = new Map<string, number>();
	#first: Health | undefined;
	#looks = 0;
	#imbalanced = 0;
	#last: Health | undefined;
	#silent = 0;

	/** `before`: looks at the time before, oldest first. */
	constructor(before: readonly Health[], { looks, patience = Math.max(2, Math.ceil(looks / 6)) }: ProbationOptions) {
		this.#before = before;
		this.#options = { looks, patience };
	}

	/** The reason to go back, `passed` at the end of the trial, or undefined while it lasts. */
	look(now: Health): { reason: string } | 'passed' | undefined {
		this.#first ??= now;
		this.#looks++;
		const reason = this.#uplinkOrSource(now) ?? this.#ledger(now) ?? this.#refusals(now) ?? this.#silence(now);
		this.#last = now;
		if (reason !== undefined) return { reason };
		return this.#looks >= this.#options.looks ? 'passed' : undefined;
	}

	#uplinkOrSource(now: Health): string | undefined {
		const before = this.#before.at(-1);
		for (const part of this.#troubled.keys()) if (!now.troubles.has(part)) this.#troubled.delete(part);
		for (const [part, trouble] of now.troubles) {
			if (!before || before.troubles.has(part)) continue;
			const looks = (this.#troubled.get(part) ?? 0) + 1;
			this.#troubled.set(part, looks);
			if (looks >= this.#options.patience) return `${part} worked before, and does not any more: ${trouble}`;
		}
		return undefined;
	}

	#ledger(now: Health): string | undefined {
		const wasBalanced = this.#before.every(({ imbalance }) => imbalance === 0);
		// What is between two counts at the moment of a look is there for one look.
		this.#imbalanced = wasBalanced && now.imbalance !== 0 ? this.#imbalanced + 1 : 0;
		return this.#imbalanced >= IMBALANCED_LOOKS
			? `the ledger does not balance any more: ${now.imbalance} readings are not accounted for`
			: undefined;
	}

	#refusals(now: Health): string | undefined {
		const since = shareRefused(this.#first!, now);
		if (since === undefined) return undefined;
		const [oldest, newest] = [this.#before[0], this.#before.at(-1)];
		const before = (oldest && newest && shareRefused(oldest, newest)) ?? 0;
		if (since - before <= MORE_REFUSED) return undefined;
		return `${Math.round(since * 100)} % of what arrives is refused, before it was ${Math.round(before * 100)} %`;
	}

	#silence(now: Health): string | undefined {
		const [oldest, newest] = [this.#before[0], this.#before.at(-1)];
		if (!oldest || !newest) return undefined;
		const perLook = (newest.received - oldest.received) / this.#before.length;
		this.#silent = this.#last && now.received === this.#last.received ? this.#silent + 1 : 0;
		const missed = perLook * this.#silent;
		// As long as usual pauses between readings are, it is no silence.
		return this.#silent >= this.#options.patience && missed >= ENOUGH ? 'nothing arrives any more' : undefined;
	}
}

function shareRefused(from: Health, to: Health): number | undefined {
	const received = to.received - from.received;
	return received < ENOUGH ? undefined : (to.rejected - from.rejected) / received;
}
