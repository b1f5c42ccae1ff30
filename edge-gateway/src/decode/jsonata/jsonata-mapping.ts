import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

/** What is wrong with a mapping: where (characters from its beginning), and what. */
export interface MappingMistake {
	position: number;
	message: string;
}

/** The mistake a JSONata text does not parse for, or undefined. */
export function mappingMistake(mapping: string): MappingMistake | undefined {
	// Loaded with the first mapping: five megabytes that a gateway without one does not carry.
	const jsonata = require('jsonata') as typeof import('jsonata');
	try {
		jsonata(mapping);
		return undefined;
	} catch (error) {
		return asMistake(error, mapping);
	}
}

/**
 * An error of JSONata, of parsing or of evaluating, as a mistake. Its position is the end of the token that is wrong.
 */
export function asMistake(error: unknown, mapping: string): MappingMistake {
	const { position, token, message } = error as { position?: unknown; token?: unknown; message?: unknown };
	const end = typeof position === 'number' ? Math.min(position, mapping.length) : 0;
	const length = typeof token === 'string' && mapping.slice(end - token.length, end) === token ? token.length : 0;
	return {
		position: end - length,
		message: typeof message === 'string' && message !== '' ? message : 'JSONata gave up without a reason',
	};
}

/** `line 2, column 5` of a text. */
export function placeIn(text: string, position: number): string {
	const before = text.slice(0, position).split('\n');
	return `line ${before.length}, column ${before.at(-1)!.length + 1}`;
}
