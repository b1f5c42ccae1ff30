/**
 * Generations: of the buildings and rooms that have had the same id one after the other, the one that a reading or an
 * alert belongs to.
 */

/**
 * Eight characters for the time (epoch ms, base 36), four that are random; the last four are 0 for the first building
 * that has an id. A later generation compares greater.
 */
export const GENERATION = '^[0-9a-z]{8}[0-9a-f]{4}$';

const TIME_LENGTH = 8;
const FIRST = '0000';

/**
 * The generation of the first building that has an id.
 * @param now epoch ms
 */
export const firstGeneration = (now: number): string => `${timeText(now)}${FIRST}`;

export const isFirstGeneration = (generation: string): boolean => generation.endsWith(FIRST);

/**
 * A generation that follows another one of the same id, or is the first of a room that is added later.
 * @param now epoch ms
 * @param random at least 0, less than 1
 * @param after the new generation compares greater than this one, also where the clock was set back
 */
export function nextGeneration(now: number, random: number, after?: string): string {
	const at = after === undefined ? now : Math.max(now, generationTime(after) + 1);
	return timeText(at) + (1 + Math.floor(random * 0xffff)).toString(16).padStart(FIRST.length, '0');
}

const timeText = (at: number): string => at.toString(36).padStart(TIME_LENGTH, '0');

/** When a generation began, epoch ms. */
export const generationTime = (generation: string): number => Number.parseInt(generation.slice(0, TIME_LENGTH), 36);

/** A building or room that may have had predecessors of the same id. */
export interface Generational {
	/** Absent for one that an earlier version made, which knew no generations. */
	generation?: string;
	/** Epoch ms: where its id was in use before, what was received earlier is not its own. */
	since?: number;
}

/**
 * The id under which the data of a room is kept: those of different generations of a room never meet. Ids of rooms hold
 * no slash. Without a generation it is the id itself, as in data of earlier versions.
 */
export const generationKey = (id: string, generation: string | undefined): string =>
	generation === undefined ? id : `${id}/${generation}`;

/** The id in a `generationKey`. */
export function idInKey(key: string): string {
	const slash = key.indexOf('/');
	return slash < 0 ? key : key.slice(0, slash);
}

/** The generation in a `generationKey`; undefined without one. */
export function generationInKey(key: string): string | undefined {
	const slash = key.indexOf('/');
	return slash < 0 ? undefined : key.slice(slash + 1);
}
