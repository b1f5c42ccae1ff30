/** The parts of one message: which may be stored, and which are refused by name while the others are taken. */
import { CrowdVisionError, type RejectedPart } from '@crowdvision/contracts';
import type { Decoded } from '../decode/message/candidate.ts';
import type { Frame } from '../frame.ts';
import { refusalOf } from '../rejected/refusal-of.ts';
import type { Refusal } from '../rejected/rejected.ts';
import { type Checked, ReadingError, toClientError } from './reading-validator.ts';

/** A part that is refused. */
export interface RefusedPart {
	/** What tells the part from the others of its message: see `partsOf`. */
	key: string;
	sensorId: string | undefined;
	error: CrowdVisionError;
}

/** The parts of a message, sorted. */
export interface Parts {
	checked: Checked[];
	refused: RefusedPart[];
}

/** Refusals of one message in the rejected list: at most this many entries. */
const MAX_GROUPS = 16;
/** Parts that the text of an entry names. */
const MAX_NAMED = 8;
const MAX_SHOWN_VALUE = 40;

/** The parts of a message, each with its key. */
export interface KeyedParts {
	decoded: readonly Decoded[];
	keys: readonly string[];
}

/**
 * Gives the parts of a message their keys, by which they are known also when the message is read again after its rule
 * was mended: sensor, metric, and the how many-th of these it is.
 * @param meant the keys of those that are meant; default: all
 */
export function partsOf(decoded: readonly Decoded[], meant?: ReadonlySet<string>): KeyedParts {
	const seen = new Map<string, number>();
	const keyed = decoded.map((one) => {
		const { candidate, mistake } = one;
		const name = mistake ? `#${mistake.index}` : `${String(candidate.sensorId)} ${String(candidate.metric)}`;
		const nth = seen.get(name) ?? 0;
		seen.set(name, nth + 1);
		return { one, key: `${name} ${nth}` };
	});
	const wanted = meant ? keyed.filter(({ key }) => meant.has(key)) : keyed;
	return { decoded: wanted.map(({ one }) => one), keys: wanted.map(({ key }) => key) };
}

/**
 * Checks the parts of a message. Those that break a rule are refused by themselves, except in an array of the gateway's
 * own format, which is whole or nothing.
 * @throws what `check` throws, where the message is not to be taken in part
 */
export function sortParts(
	{ decoded, keys }: KeyedParts,
	frame: Pick<Frame, 'partial' | 'decodeBy'>,
	check: (decoded: Decoded) => Checked,
): Parts {
	const parts: Parts = { checked: [], refused: [] };
	for (const [at, one] of decoded.entries()) {
		try {
			if (one.mistake) throw one.mistake;
			parts.checked.push(check(one));
		} catch (error) {
			const refusal = toClientError(error as Error, frame.decodeBy !== undefined);
			if ((one.whole && !frame.partial) || !refusal || refusal.status >= 500) throw error;
			const { sensorId } = one.candidate;
			parts.refused.push({
				key: keys[at]!,
				sensorId: typeof sensorId === 'string' ? sensorId.slice(0, 128) : undefined,
				error: refusal instanceof ReadingError ? named(refusal, one) : refusal,
			});
		}
	}
	return parts;
}

/** The refusal of a value with the name and the value that it is about: the message holds several. */
function named(refusal: ReadingError, { candidate, index, path }: Decoded): CrowdVisionError {
	const { problem, code } = refusal;
	const isValue = problem.path === '/value';
	if (path === undefined || (!isValue && problem.path !== '/unit')) return refusal;
	const sent = isValue ? candidate.value : candidate.unit;
	const shown = (JSON.stringify(sent) ?? String(sent)).slice(0, MAX_SHOWN_VALUE);
	const what = `${isValue ? '' : 'has a unit that '}${problem.message}, not ${shown}`;
	const { metric, sensorId } = candidate;
	const of = sensorId === undefined ? String(metric) : `${String(metric)} of ${String(sensorId)}`;
	return new CrowdVisionError(code, `reading ${index}: ${path} ${what} (${of})`, { index, path });
}

/** The refused parts as the sender is told. */
export function rejectedParts(refused: readonly RefusedPart[]): RejectedPart[] {
	return refused.map(({ error: { code, message, details } }) => ({
		index: details.index ?? 0,
		path: details.path ?? '',
		code,
		message,
	}));
}

/** Refused parts that make one entry of the rejected list: those of one sensor and code. */
interface RefusedGroup {
	sensorId: string | undefined;
	error: CrowdVisionError;
	keys: string[];
}

/** The entries of the rejected list for the refused parts of a message. `receivedAt` is in epoch ms. */
export function entriesOf(frame: Frame, { checked, refused }: Parts, receivedAt: number): Refusal[] {
	// A replay of which nothing is taken is in the list already.
	if (frame.replayOf !== undefined && checked.length === 0) return [];
	return groupsOf(refused).map(({ sensorId, error, keys }) => ({
		...refusalOf(frame, error, receivedAt),
		...(sensorId !== undefined && { sensorId }),
		...(checked.length > 0 && { taken: checked.length }),
		parts: keys,
	}));
}

/** Groups refused parts into the entries of the rejected list. */
function groupsOf(refused: readonly RefusedPart[]): RefusedGroup[] {
	const groups = new Map<string, RefusedPart[]>();
	for (const part of refused) {
		const name = `${part.error.code} ${part.sensorId ?? ''}`;
		const known = groups.get(name) ?? (groups.size >= MAX_GROUPS ? [...groups.values()].at(-1) : undefined);
		if (known) known.push(part);
		else groups.set(name, [part]);
	}
	return [...groups.values()].map((parts) => {
		const [first] = parts as [RefusedPart];
		return { sensorId: first.sensorId, error: summary(parts), keys: parts.map(({ key }) => key) };
	});
}

function summary(parts: readonly RefusedPart[]): CrowdVisionError {
	const { code, details } = parts[0]!.error;
	const texts = parts.slice(0, MAX_NAMED).map(({ error }) => error.message);
	const more = parts.length > MAX_NAMED ? [`and ${parts.length - MAX_NAMED} more`] : [];
	return new CrowdVisionError(code, [...texts, ...more].join('; '), details);
}

/** The error for a message of which nothing is sound: the first mistake, with all of them in `rejected`. */
export function nothingSound(refused: readonly RefusedPart[]): CrowdVisionError {
	const { error } = refused[0]!;
	if (refused.length === 1) return error;
	return new CrowdVisionError(error.code, error.message, { ...error.details, rejected: rejectedParts(refused) });
}
