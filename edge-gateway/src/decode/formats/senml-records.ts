/** Resolves the base fields and times of SenML records (RFC 8428). */
import { DecodeError } from '../message/candidate.ts';
import { isNoValue } from '../message/number.ts';

/** A SenML record under its JSON labels, as received. */
export type SenmlRecord = Record<string, unknown>;

/** A resolved record, which no longer depends on base fields (RFC 8428 section 4.6). */
export interface ResolvedRecord {
	name: string;
	/** The record's own part of the name, without the base name. */
	label: string;
	unit: string | undefined;
	/** Undefined if the record holds no number; null if it says that nothing was measured. */
	value: number | null | undefined;
	/** A text (`vs`), a truth value (`vb`) or a sum (`s`) in place of a number. */
	other: string | boolean | number | undefined;
	/** Epoch ms; undefined for no time or time 0, which both mean now. */
	time: number | undefined;
}

/** The base fields in force for the following records. */
interface Base {
	bn: string;
	bt: number;
	bu: string | undefined;
	bv: number;
}

/** The SenML version implemented here (RFC 8428 section 4.1). A pack of a later version may mean something else. */
const VERSION = 10;
/** Seconds from which a time counts from 1970; a smaller one is relative to now (RFC 8428 section 4.5.3). */
const ABSOLUTE = 2 ** 28;
/** Allowed names (RFC 8428 section 4.5.1). */
const NAME = /^[A-Za-z0-9][A-Za-z0-9\-:./_]*$/;

/**
 * Applies the base fields and time rules of RFC 8428 sections 4.1 to 4.5. `now` is in epoch ms. A mistake in a record
 * stands in its place; a mistake in a base field, on which others depend, ends all.
 * @throws DecodeError with the record's index in the pack.
 */
export function resolveSenml(pack: unknown[], now: number): (ResolvedRecord | DecodeError)[] {
	const base: Base = { bn: '', bt: 0, bu: undefined, bv: 0 };
	return pack.map((record, index) => {
		if (typeof record !== 'object' || record === null || Array.isArray(record)) {
			return new DecodeError({ path: '', message: 'must be a SenML record: an object' }, index);
		}
		const read = readerOf(record as SenmlRecord, index);
		takeBase(read, base);
		try {
			return resolve(read, base, now);
		} catch (error) {
			if (error instanceof DecodeError) return error;
			throw error;
		}
	});
}

/** Reads labels of one record. */
interface RecordReader {
	record: SenmlRecord;
	wrong(label: string, message: string): DecodeError;
	number(label: string): number | undefined;
	text(label: string): string | undefined;
}

function readerOf(record: SenmlRecord, index: number): RecordReader {
	const wrong = (label: string, message: string) => new DecodeError({ path: `/${label}`, message }, index);
	return {
		record,
		wrong,
		number(label) {
			const value = own(record, label);
			if (value !== undefined && (typeof value !== 'number' || !Number.isFinite(value)))
				throw wrong(label, 'must be a finite number');
			return value;
		},
		text(label) {
			const value = own(record, label);
			if (value !== undefined && typeof value !== 'string') throw wrong(label, 'must be a text');
			return value;
		},
	};
}

/** Takes over the base fields of a record. */
function takeBase({ record, wrong, number, text }: RecordReader, base: Base): void {
	refuseMustUnderstand(record, wrong);
	const version = number('bver');
	if (version !== undefined && version > VERSION)
		throw wrong('bver', `must be at most ${VERSION}: the pack uses a later version of SenML`);
	base.bn = text('bn') ?? base.bn;
	base.bt = number('bt') ?? base.bt;
	base.bu = text('bu') ?? base.bu;
	base.bv = number('bv') ?? base.bv;
	number('bs');
}

function resolve({ record, wrong, number, text }: RecordReader, base: Base, now: number): ResolvedRecord {
	const label = text('n') ?? '';
	const name = base.bn + label;
	if (name !== '' && !NAME.test(name))
		throw wrong('n', 'with bn before it must start with A-Z a-z 0-9 and hold only these and - : . / _');
	const value = isMissing(own(record, 'v')) ? null : number('v');
	const others =
		['vs', 'vb', 'vd'].filter((label) => own(record, label) !== undefined).length + (value === undefined ? 0 : 1);
	if (others > 1) throw wrong('v', 'must be the only value: one of v, vs, vb, vd');
	if (others === 0 && number('s') === undefined) throw wrong('v', 'is required: one of v, vs, vb, vd, s');
	return {
		name,
		label,
		unit: text('u') ?? base.bu,
		value: typeof value === 'number' ? value + base.bv : value,
		other: text('vs') ?? truth(own(record, 'vb'), wrong) ?? number('s'),
		time: timeOf(base.bt + (number('t') ?? 0), now),
	};
}

function truth(value: unknown, wrong: RecordReader['wrong']): boolean | undefined {
	if (value !== undefined && typeof value !== 'boolean') throw wrong('vb', 'must be true or false');
	return value;
}

/** Converts the seconds of a record to epoch ms. */
function timeOf(seconds: number, now: number): number | undefined {
	if (seconds === 0) return undefined;
	return Math.round(seconds < ABSOLUTE ? now + seconds * 1000 : seconds * 1000);
}

/**
 * Throws for a label that ends in `_`: such a field must be understood. Other unknown fields are ignored (RFC 8428
 * section 4.4).
 */
function refuseMustUnderstand(record: SenmlRecord, wrong: (label: string, message: string) => DecodeError): void {
	for (const label of Object.keys(record)) {
		if (label.endsWith('_')) throw wrong(label, 'is not supported, and a label that ends in _ must be understood');
	}
}

function own(record: SenmlRecord, label: string): unknown {
	return Object.hasOwn(record, label) ? record[label] : undefined;
}

/** Whether a record says in `v` that nothing was measured. */
const isMissing = (value: unknown) => value !== undefined && isNoValue(value);
