import { DecodeError } from '../message/candidate.ts';

/** A record by its JSON labels, as it came. */
export type SenmlRecord = Record<string, unknown>;

/** A record that stands for itself (RFC 8428 section 4.6). */
export interface Resolved {
	name: string;
	unit: string | undefined;
	/** Undefined for a record that holds something else than a number. */
	value: number | undefined;
	/** Epoch ms; undefined where no time is told, or 0: that is now. */
	time: number | undefined;
}

/** What base fields hold for the records that follow. */
interface Base {
	bn: string;
	bt: number;
	bu: string | undefined;
	bv: number;
}

/** RFC 8428 section 4.1: the version of the format this is. A pack of a later one may mean something else. */
const VERSION = 10;
/** RFC 8428 section 4.5.3: from here on a time is one since 1970, below it is one from now. */
const ABSOLUTE = 2 ** 28;
/** RFC 8428 section 4.5.1. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9\-:./_]*$/;

/**
 * Applies the base fields and time rules of RFC 8428 sections 4.1 to 4.5.
 * @throws DecodeError with the record's place in the pack.
 */
export function resolveSenml(pack: unknown[], now: number): Resolved[] {
	const base: Base = { bn: '', bt: 0, bu: undefined, bv: 0 };
	return pack.map((record, index) => {
		if (typeof record !== 'object' || record === null || Array.isArray(record)) {
			throw new DecodeError({ path: '', message: 'must be a SenML record: an object' }, index);
		}
		return resolve(record as SenmlRecord, base, now, index);
	});
}

function resolve(record: SenmlRecord, base: Base, now: number, index: number): Resolved {
	const wrong = (label: string, message: string) => new DecodeError({ path: `/${label}`, message }, index);
	const number = (label: string) => {
		const value = own(record, label);
		if (value !== undefined && (typeof value !== 'number' || !Number.isFinite(value)))
			throw wrong(label, 'must be a finite number');
		return value;
	};
	const text = (label: string) => {
		const value = own(record, label);
		if (value !== undefined && typeof value !== 'string') throw wrong(label, 'must be a text');
		return value;
	};
	mayBeIgnored(record, wrong);
	const version = number('bver');
	if (version !== undefined && version > VERSION)
		throw wrong('bver', `must be ${VERSION} or less: the pack is of a later SenML`);
	base.bn = text('bn') ?? base.bn;
	base.bt = number('bt') ?? base.bt;
	base.bu = text('bu') ?? base.bu;
	base.bv = number('bv') ?? base.bv;
	number('bs');
	const name = base.bn + (text('n') ?? '');
	if (name !== '' && !NAME.test(name))
		throw wrong('n', 'must, after bn, begin with A-Z a-z 0-9 and hold nothing but these and - : . / _');
	const value = number('v');
	const others =
		['vs', 'vb', 'vd'].filter((label) => own(record, label) !== undefined).length + (value === undefined ? 0 : 1);
	if (others > 1) throw wrong('v', 'must be the only value: one of v, vs, vb, vd');
	if (others === 0 && number('s') === undefined) throw wrong('v', 'is required: one of v, vs, vb, vd, s');
	return {
		name,
		unit: text('u') ?? base.bu,
		value: value === undefined ? undefined : value + base.bv,
		time: timeOf(base.bt + (number('t') ?? 0), now),
	};
}

/** Seconds of a record as epoch ms. */
function timeOf(seconds: number, now: number): number | undefined {
	if (seconds === 0) return undefined;
	return Math.round(seconds < ABSOLUTE ? now + seconds * 1000 : seconds * 1000);
}

/**
 * RFC 8428 section 4.4: what is not known is passed over, unless its label ends in `_`, which says that it must be
 * understood.
 */
function mayBeIgnored(record: SenmlRecord, wrong: (label: string, message: string) => DecodeError): void {
	for (const label of Object.keys(record)) {
		if (label.endsWith('_')) throw wrong(label, 'is not known here, and its name says that it must be understood');
	}
}

function own(record: SenmlRecord, label: string): unknown {
	return Object.hasOwn(record, label) ? record[label] : undefined;
}
