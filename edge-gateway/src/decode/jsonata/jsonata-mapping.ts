/** Checks JSONata mappings, and converts errors of JSONata into mistakes with a position. */
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

/** A mistake in a mapping. */
export interface MappingMistake {
	/** In characters from the start of the mapping. */
	position: number;
	message: string;
}

/** The mistake for which a text does not parse as JSONata, or undefined. */
export function mappingMistake(mapping: string): MappingMistake | undefined {
	// Loaded with the first mapping, as a gateway without mappings needs 5 MB less memory.
	const jsonata = require('jsonata') as typeof import('jsonata');
	try {
		jsonata(mapping);
		return undefined;
	} catch (error) {
		return toMistake(error, mapping);
	}
}

/**
 * Converts a JSONata error, from parsing or from evaluating, into a mistake at the start of the offending token.
 * JSONata itself reports the end of that token.
 */
export function toMistake(error: unknown, mapping: string): MappingMistake {
	const { position, token, message } = error as { position?: unknown; token?: unknown; message?: unknown };
	const end = typeof position === 'number' ? Math.min(position, mapping.length) : 0;
	const length = typeof token === 'string' && mapping.slice(end - token.length, end) === token ? token.length : 0;
	return {
		position: end - length,
		message: typeof message === 'string' && message !== '' ? message : 'JSONata reported no reason',
	};
}

/** A position in a text as `line 2, column 5`. */
export function placeIn(text: string, position: number): string {
	const before = text.slice(0, position).split('\n');
	return `line ${before.length}, column ${before.at(-1)!.length + 1}`;
}
