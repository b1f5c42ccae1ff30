/** What is believed of the error of a room's doors. Plain numbers, for the checkpoint. */
export interface DriftBelief {
	/** A door and a direction each, in the order of `mean` after the two that all doors share. */
	legs: string[];
	/**
	 * Overcount as a share of what is counted: what all ways in have in common, all ways out, then what each leg has of
	 * its own.
	 */
	mean: number[];
	/** Covariance of these, row by row. */
	covariance: number[];
}

/** What was counted over one leg since the count was known. */
export interface LegTraffic {
	leg: string;
	/** 1 for a way in, -1 for a way out. */
	sign: 1 | -1;
	crossings: number;
	/** The largest bias that is usual for such a door, as a share. */
	bias: number;
	/** Share of crossings missed or counted twice by chance. */
	missRate: number;
}

/** How far the count is from the truth: it lies `mean` above it, give or take. */
export interface Drift {
	mean: number;
	/** Standard deviation. */
	spread: number;
}

/** Standard deviations on either side of what is likely; of a normal distribution about 95 % lie within. */
export const SPREADS = 2;
/**
 * The spread of each part of a bias that nobody has learned of yet, in usual biases: with this, every door off by all
 * of its bias, all ways in one way and all ways out the other, is inside `SPREADS`, however many doors there are.
 */
const UNLEARNED = Math.SQRT2 / SPREADS;
/** Kept of what was learned from one time to the next: a door that was knocked is learned anew within weeks. */
const MEMORY = 0.98;
/**
 * A drift that is this unlikely, in standard deviations, teaches no more than one that is this unlikely: the room may
 * not have been empty.
 */
const MOST_SURPRISE = 3;
/** Nobody's error is as large as this many usual ones. */
const MOST_BIAS = 2;
/** The error of the count that was made known: one person who sat in a corner. */
const KNOWN_VARIANCE = 1;
const SHARED = 2;

export function noBelief(): DriftBelief {
	return { legs: [], mean: [0, 0], covariance: [0, 0, 0, 0] };
}

/** How far the count has drifted over this traffic, by what is believed. */
export function driftOver(belief: DriftBelief, traffic: readonly LegTraffic[]): Drift {
	const known = withLegs(belief, traffic);
	const { mean, covariance } = known;
	const weights = weightsOf(known, traffic);
	let variance = chance(traffic);
	for (const [row, weight] of weights.entries())
		if (weight !== 0) variance += weight * product(covariance, row, weights);
	return { mean: dot(weights, mean), spread: Math.sqrt(Math.max(0, variance)) };
}

/**
 * What is believed after the count turned out to be `drift` above the truth. One number a night tells little about one
 * door and much about what they do together (a Kalman filter's update, on biases that slowly return to what is usual).
 */
export function learn(belief: DriftBelief, traffic: readonly LegTraffic[], drift: number): DriftBelief {
	const known = withLegs(belief, traffic);
	const size = known.mean.length;
	const weights = weightsOf(known, traffic);
	const prior = priorVariances(known, traffic);
	const spreads = Array.from({ length: size }, (_, row) => product(known.covariance, row, weights));
	const variance = dot(weights, spreads) + chance(traffic) + KNOWN_VARIANCE;
	const bound = MOST_SURPRISE * Math.sqrt(variance);
	const surprise = Math.max(-bound, Math.min(bound, drift - dot(weights, known.mean)));
	const mean = known.mean.map((value, row) => {
		const most = (MOST_BIAS * Math.sqrt(prior[row]!)) / UNLEARNED;
		return MEMORY * Math.max(-most, Math.min(most, value + (spreads[row]! * surprise) / variance));
	});
	const covariance = known.covariance.map((value, at) => {
		const row = Math.floor(at / size);
		const column = at % size;
		const learned = value - (spreads[row]! * spreads[column]!) / variance;
		return MEMORY ** 2 * learned + (row === column ? (1 - MEMORY ** 2) * prior[row]! : 0);
	});
	return { legs: known.legs, mean, covariance };
}

/** The belief without what each of these legs has of its own. */
export function withoutLegs({ legs, mean, covariance }: DriftBelief, gone: ReadonlySet<string>): DriftBelief {
	const kept = [...mean.keys()].filter((row) => row < SHARED || !gone.has(legs[row - SHARED]!));
	return {
		legs: legs.filter((leg) => !gone.has(leg)),
		mean: kept.map((row) => mean[row]!),
		covariance: kept.flatMap((row) => kept.map((column) => covariance[row * mean.length + column]!)),
	};
}

const sharedBy = (sign: 1 | -1) => (sign === 1 ? 0 : 1);

/**
 * The belief with a place for every leg there is traffic of. What two directions share is first believed when the first
 * leg of it is met.
 */
function withLegs(belief: DriftBelief, traffic: readonly LegTraffic[]): DriftBelief {
	const fresh = traffic.filter(({ leg }) => !belief.legs.includes(leg));
	if (fresh.length === 0) return belief;
	const legs = [...belief.legs, ...fresh.map(({ leg }) => leg)];
	const before = belief.mean.length;
	const size = SHARED + legs.length;
	const covariance = new Array<number>(size * size).fill(0);
	for (let row = 0; row < before; row++)
		for (let column = 0; column < before; column++)
			covariance[row * size + column] = belief.covariance[row * before + column]!;
	for (const [n, { bias, sign }] of fresh.entries()) {
		const own = before + n;
		covariance[own * size + own] = (UNLEARNED * bias) ** 2;
		const shared = sharedBy(sign);
		if (covariance[shared * size + shared] === 0) covariance[shared * size + shared] = (UNLEARNED * bias) ** 2;
	}
	return { legs, mean: [...belief.mean, ...fresh.map(() => 0)], covariance };
}

/**
 * Variances before anything was learned, of the parts of `belief`; those of a leg without traffic are left as they are.
 */
function priorVariances({ legs, mean, covariance }: DriftBelief, traffic: readonly LegTraffic[]): number[] {
	const variances = mean.map((_, row) => covariance[row * mean.length + row]!);
	for (const { leg, sign, bias } of traffic) {
		variances[SHARED + legs.indexOf(leg)] = (UNLEARNED * bias) ** 2;
		variances[sharedBy(sign)] = (UNLEARNED * bias) ** 2;
	}
	return variances;
}

/** How much each part adds to the drift: as much as was counted with it. */
function weightsOf({ legs, mean }: DriftBelief, traffic: readonly LegTraffic[]): number[] {
	const weights = new Array<number>(mean.length).fill(0);
	for (const { leg, sign, crossings } of traffic) {
		weights[sharedBy(sign)]! += sign * crossings;
		weights[SHARED + legs.indexOf(leg)]! += sign * crossings;
	}
	return weights;
}

/**
 * Variance of what is missed or counted twice by chance, and a bias too is made of crossings that are or are not: it
 * grows with the crossings, so the spread with their square root.
 */
function chance(traffic: readonly LegTraffic[]): number {
	return traffic.reduce((sum, { crossings, missRate, bias }) => sum + crossings * (missRate + bias), 0);
}

function product(matrix: readonly number[], row: number, vector: readonly number[]): number {
	let sum = 0;
	for (let column = 0; column < vector.length; column++) sum += matrix[row * vector.length + column]! * vector[column]!;
	return sum;
}

function dot(a: readonly number[], b: readonly number[]): number {
	return a.reduce((sum, value, n) => sum + value * b[n]!, 0);
}
