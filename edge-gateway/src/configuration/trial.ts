/** Judges a new configuration by comparing the gateway before and after it, in the parts that it touches. */
import type { PartTally } from '../ledger/regressions.ts';
import { EVERYTHING, type Touched } from './touched.ts';

/** The state of the gateway at one moment. Counts are since its start. */
export interface Health {
	/** What is wrong, by part: an uplink (relay, a bridge) or a way in. */
	troubles: ReadonlyMap<string, string>;
	received: number;
	/** Refused, although their like was taken before. */
	rejected: number;
	/** Received over serial ports. */
	serialReceived?: number;
	/** By part, as `serial {port}` and `decoder {rule}`: messages that were taken, and refused although taken before. */
	parts?: ReadonlyMap<string, PartTally>;
	/** What the ledger cannot account for; 0 when all is well. */
	imbalance: number;
}

export interface TrialOptions {
	/** Length of the trial in observations, of which there is one a second. */
	observations: number;
	/** How many observations in a row trouble, or silence, must last to count. Default: a sixth of the trial. */
	patience?: number;
	/** What the change touches; default: everything. */
	touched?: Touched;
}

/** Fewer readings than this, before or during the trial, allow no conclusion about their rate or their refusals. */
const ENOUGH_READINGS = 10;
/** The share of refused readings may rise by this much. */
const MAX_MORE_REFUSED = 0.2;
const IMBALANCED_OBSERVATIONS = 3;

/**
 * The trial of a new configuration: compares how the gateway does with how it did before. Trouble that was there before
 * does not count, nor does that of a part that did not exist, or that the change does not touch.
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
		{ observations, patience = Math.max(2, Math.ceil(observations / 6)), touched = EVERYTHING }: TrialOptions,
	) {
		this.#before = before;
		this.#options = { observations, patience, touched };
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
			if (!before || before.troubles.has(part) || !this.#isTouched(part)) continue;
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

	#isTouched(part: string): boolean {
		const { intake, parts } = this.#options.touched;
		return intake || parts.has(part) || (part.startsWith('serial ') && parts.has('serial'));
	}

	#refusals(now: Health): string | undefined {
		const { intake } = this.#options.touched;
		const whole = intake ? this.#worse(now, shareRefused) : undefined;
		if (whole !== undefined) return `${percent(whole.since)} of the readings are refused, ${before(whole)}`;
		for (const part of now.parts?.keys() ?? []) {
			if (!this.#isTouched(part)) continue;
			const worse = this.#worse(now, (from, to) => shareLost(part, from, to));
			if (!worse) continue;
			const rule = part.startsWith('decoder ') ? ` of the rule ${part.slice('decoder '.length)}` : '';
			return `${percent(worse.since)} of the readings${rule} are refused, ${before(worse)}`;
		}
		return undefined;
	}

	/** A share that has risen too much since the trial began. */
	#worse(now: Health, share: (from: Health, to: Health) => number | undefined): Rise | undefined {
		const since = share(this.#first!, now);
		if (since === undefined) return undefined;
		const [oldest, newest] = [this.#before[0], this.#before.at(-1)];
		const earlier = (oldest && newest && share(oldest, newest)) ?? 0;
		return since - earlier > MAX_MORE_REFUSED ? { since, earlier } : undefined;
	}

	#silence(now: Health): string | undefined {
		const [oldest, newest] = [this.#before[0], this.#before.at(-1)];
		if (!oldest || !newest) return undefined;
		const { intake, parts } = this.#options.touched;
		// Devices that fall silent while something else is changed have their own reasons.
		if (!intake && !parts.has('serial')) return undefined;
		const received = (health: Health) => (intake ? health.received : (health.serialReceived ?? 0));
		const usual = (received(newest) - received(oldest)) / this.#before.length;
		this.#silent = this.#last && received(now) === received(this.#last) ? this.#silent + 1 : 0;
		// A pause as long as the usual one between readings is no silence.
		const missed = usual * this.#silent;
		return this.#silent >= this.#options.patience && missed >= ENOUGH_READINGS
			? 'no readings arrive any more'
			: undefined;
	}
}

/** A share now, and before the trial. */
interface Rise {
	since: number;
	earlier: number;
}

const percent = (share: number) => `${Math.round(share * 100)} %`;
const before = ({ earlier }: Rise) => `before it was ${percent(earlier)}`;

const NOTHING: PartTally = { taken: 0, lost: 0 };

/** The share of a part's messages that were lost. Undefined for too few messages. */
function shareLost(part: string, from: Health, to: Health): number | undefined {
	const [was, is] = [from.parts?.get(part) ?? NOTHING, to.parts?.get(part) ?? NOTHING];
	const lost = is.lost - was.lost;
	const messages = is.taken - was.taken + lost;
	return messages < ENOUGH_READINGS ? undefined : lost / messages;
}

/** Undefined for too few readings. */
function shareRefused(from: Health, to: Health): number | undefined {
	const received = to.received - from.received;
	return received < ENOUGH_READINGS ? undefined : (to.rejected - from.rejected) / received;
}
