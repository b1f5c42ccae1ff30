/** Estimates how far a room's count has drifted from the truth, and learns the bias of its doors. */

/** The estimated errors of a room's doors. Plain data, as it is stored in the checkpoint under these names. */
export interface DriftBelief {
	/** The flows (a door and a direction each), in the order of `mean` after the two shared parts. */
	legs: string[];
	/**
	 * Estimated overcount as a share of what is counted: the part shared by all flows in, the part shared by all flows
	 * out, then the own part of each flow.
	 */
	mean: number[];
	/** Covariance matrix of `mean`, row by row. */
	covariance: number[];
}

/** The crossings of one flow since the count was last known. */
export interface FlowTraffic {
	flow: string;
	/** 1 for in, -1 for out. */
	sign: 1 | -1;
	crossings: number;
	/** Largest usual bias of such a door, as a share. */
	bias: number;
	/** Share of crossings missed or counted twice by chance. */
	missRate: number;
}

/** The estimated error of a count: counted minus true number of people. */
export interface Drift {
	mean: number;
	/** Standard deviation. */
	spread: number;
}

/** Half width of the likely range in standard deviations; about 95 % of a normal distribution lie within. */
export const SPREADS = 2;
/**
 * Standard deviation of each part of a bias before anything is learned, in usual biases. With this value, even if every
 * door is off by its full bias, all flows in one way and all flows out the other, the result is inside `SPREADS` for
 * any number of doors.
 */
const UNLEARNED = Math.SQRT2 / SPREADS;
/** Share of an estimate that is kept from one update to the next: a door that was moved is relearned within weeks. */
const MEMORY = 0.98;
/**
 * A larger surprise than this, in standard deviations, is treated as one of this size: the room may not have been empty
 * when it was zeroed.
 */
const MAX_SURPRISE = 3;
/** Largest bias that is estimated, in usual biases. */
const MAX_BIAS = 2;
/** Variance of a count that became known, in people squared: one overlooked person. */
const KNOWN_VARIANCE = 1;
/** Number of shared parts at the start of `mean`. */
const SHARED = 2;

/** The belief before anything is learned. */
export function noBelief(): DriftBelief {
	return { legs: [], mean: [0, 0], covariance: [0, 0, 0, 0] };
}

/** Estimates the drift of the count over this traffic. */
export function driftOver(belief: DriftBelief, traffic: readonly FlowTraffic[]): Drift {
	const known = withFlows(belief, traffic);
	const { mean, covariance } = known;
	const weights = weightsOf(known, traffic);
	let variance = chance(traffic);
	for (const [row, weight] of weights.entries())
		if (weight !== 0) variance += weight * product(covariance, row, weights);
	return { mean: dot(weights, mean), spread: Math.sqrt(Math.max(0, variance)) };
}

/**
 * Updates the belief when the count turns out to be `drift` above the truth: the update of a Kalman filter on biases
 * that slowly return to the usual ones. One number a night says little about a single door, but much about all
 * together.
 */
export function learn(belief: DriftBelief, traffic: readonly FlowTraffic[], drift: number): DriftBelief {
	const known = withFlows(belief, traffic);
	const size = known.mean.length;
	const weights = weightsOf(known, traffic);
	const prior = priorVariances(known, traffic);
	const spreads = Array.from({ length: size }, (_, row) => product(known.covariance, row, weights));
	const variance = dot(weights, spreads) + chance(traffic) + KNOWN_VARIANCE;
	const bound = MAX_SURPRISE * Math.sqrt(variance);
	const surprise = Math.max(-bound, Math.min(bound, drift - dot(weights, known.mean)));
	const mean = known.mean.map((value, row) => {
		const max = (MAX_BIAS * Math.sqrt(prior[row]!)) / UNLEARNED;
		return MEMORY * Math.max(-max, Math.min(max, value + (spreads[row]! * surprise) / variance));
	});
	const covariance = known.covariance.map((value, at) => {
		const row = Math.floor(at / size);
		const column = at % size;
		const learned = value - (spreads[row]! * spreads[column]!) / variance;
		return MEMORY ** 2 * learned + (row === column ? (1 - MEMORY ** 2) * prior[row]! : 0);
	});
	return { legs: known.legs, mean, covariance };
}

/** Returns the belief without the own parts of these flows. */
export function withoutFlows({ legs, mean, covariance }: DriftBelief, removed: ReadonlySet<string>): DriftBelief {
	const rows = [...mean.keys()].filter((row) => row < SHARED || !removed.has(legs[row - SHARED]!));
	return {
		legs: legs.filter((flow) => !removed.has(flow)),
		mean: rows.map((row) => mean[row]!),
		covariance: rows.flatMap((row) => rows.map((column) => covariance[row * mean.length + column]!)),
	};
}

/** Row of the part that all flows of this direction share. */
const sharedBy = (sign: 1 | -1) => (sign === 1 ? 0 : 1);

/**
 * Returns the belief with a row for every flow of the traffic. A shared part gets its first variance with the first
 * flow of its direction.
 */
function withFlows(belief: DriftBelief, traffic: readonly FlowTraffic[]): DriftBelief {
	const fresh = traffic.filter(({ flow }) => !belief.legs.includes(flow));
	if (fresh.length === 0) return belief;
	const legs = [...belief.legs, ...fresh.map(({ flow }) => flow)];
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
 * The variances of the parts of `belief` before anything was learned. Those of a flow without traffic stay as they are.
 */
function priorVariances({ legs, mean, covariance }: DriftBelief, traffic: readonly FlowTraffic[]): number[] {
	const variances = mean.map((_, row) => covariance[row * mean.length + row]!);
	for (const { flow, sign, bias } of traffic) {
		variances[SHARED + legs.indexOf(flow)] = (UNLEARNED * bias) ** 2;
		variances[sharedBy(sign)] = (UNLEARNED * bias) ** 2;
	}
	return variances;
}

/** The weight of each part in the drift: the crossings counted with it, with their sign. */
function weightsOf({ legs, mean }: DriftBelief, traffic: readonly FlowTraffic[]): number[] {
	const weights = new Array<number>(mean.length).fill(0);
	for (const { flow, sign, crossings } of traffic) {
		weights[sharedBy(sign)]! += sign * crossings;
		weights[SHARED + legs.indexOf(flow)]! += sign * crossings;
	}
	return weights;
}

/**
 * Variance of crossings that are missed or counted twice by chance. It also includes the bias, which is a random error
 * of single crossings too. It grows with the crossings, so the spread grows with their square root.
 */
function chance(traffic: readonly FlowTraffic[]): number {
	return traffic.reduce((sum, { crossings, missRate, bias }) => sum + crossings * (missRate + bias), 0);
}

/** Row `row` of a square matrix times a vector. */
function product(matrix: readonly number[], row: number, vector: readonly number[]): number {
	let sum = 0;
	for (let column = 0; column < vector.length; column++) sum += matrix[row * vector.length + column]! * vector[column]!;
	return sum;
}

function dot(a: readonly number[], b: readonly number[]): number {
	return a.reduce((sum, value, n) => sum + value * b[n]!, 0);
}
