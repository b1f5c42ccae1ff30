/** Parses bodies of newline-delimited JSON. */
import { CrowdVisionError } from '@crowdvision/contracts';
import { parseJson, textOf, withoutFraming } from '../decode/message/json.ts';

/** The type of a request that names none. */
export const JSON_TYPE = 'application/json';

/**
 * Parses NDJSON, one JSON value per line; empty lines are skipped. Lines are read as `parseJson` reads a payload.
 * @param partial a line that is no JSON stands as its text, which is no reading, instead of ending all
 * @throws CrowdVisionError `not_json`
 */
export function parseNdjson(raw: Buffer, partial = false): unknown[] {
	const values: unknown[] = [];
	for (const [index, line] of textOf(withoutFraming(raw)).split('\n').entries()) {
		if (line.trim() === '') continue;
		try {
			values.push(parseJson(line));
		} catch {
			if (!partial)
				throw new CrowdVisionError('not_json', `Line ${index + 1} is not valid JSON`, { index: values.length });
			values.push(line);
		}
	}
	return values;
}
