/** Sensor ids from the names that vendors give their devices. */
import { createHash } from 'node:crypto';
import { DecodeError } from '../message/candidate.ts';

const MAX_LENGTH = 128;
const HASH_LENGTH = 6;
const MAX_REMEMBERED = 20_000;

/** Where a sensor id comes from. */
export interface Origin {
	/** The name as it was, for people to read; undefined if the id says the same. */
	name: string | undefined;
	/** The id that the gateway gave this sensor before names were told apart. */
	formerId: string;
}

/** The origins of ids that differ from their names: an id always comes from the same name. */
const origins = new Map<string, Origin>();

/** Where an id comes from, if it is not simply the name. */
export function originOf(sensorId: string): Origin | undefined {
	return origins.get(sensorId);
}

/**
 * Turns a vendor's name for a device into a sensor id: each character that an id may not hold, also `/` between levels,
 * becomes `-`, and then a short hash of the name keeps it apart from other names. A name that an id may hold is the id.
 */
export function sensorIdOf(name: string): string {
	const id = idPart(name);
	remember(id, name, formerIdOf(name));
	return id;
}

/**
 * The ids of the parts, joined by dots; empty and missing parts are left out. Each part keeps its id whatever stands
 * beside it, so that a device's id begins the ids of its sensors.
 * @throws DecodeError if no part is left.
 */
export function sensorIdFrom(...parts: (string | undefined)[]): string {
	const names = parts.filter((part) => part !== undefined && part !== '') as string[];
	const name = names.join('.');
	const joined = names.map(idPart).join('.');
	if (joined === '')
		throw new DecodeError({ path: '/sensorId', message: 'is named by neither the topic nor the payload' }, 0);
	const id = joined.length > MAX_LENGTH ? withHash(joined, name) : joined;
	remember(id, name, formerIdOf(name));
	return id;
}

/** The id of a sensor whose name another sensor has as its id, from before names were told apart. */
export function idApart(name: string): string {
	return withHash(name, name);
}

/** Notes that a sensor had another id, for one whose name did not change: a probe that is now known by its own id. */
export function rememberFormer(id: string, formerId: string): void {
	remember(id, id, formerId);
}

function idPart(name: string): string {
	const plain = replaced(name);
	return plain === name && name.length <= MAX_LENGTH ? name : withHash(plain, name);
}

/** How ids were made before names were told apart: two names that differ only in replaced characters got one id. */
const formerIdOf = (name: string) => name.replace(/[^A-Za-z0-9._:-]/g, '-').slice(0, MAX_LENGTH);
/** Composed and decomposed spellings of one name are the same. */
const replaced = (name: string) => name.normalize('NFC').replace(/[^A-Za-z0-9._:-]/gu, '-');

function withHash(plain: string, name: string): string {
	const hash = createHash('sha256').update(name.normalize('NFC')).digest('hex').slice(0, HASH_LENGTH);
	return `${plain.slice(0, MAX_LENGTH - HASH_LENGTH - 1)}-${hash}`;
}

function remember(id: string, name: string, formerId: string): void {
	if (id === formerId || origins.has(id)) return;
	if (origins.size >= MAX_REMEMBERED) origins.clear();
	origins.set(id, { name: id === name ? undefined : name, formerId });
}
