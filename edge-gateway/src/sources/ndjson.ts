/** Parses bodies of newline-delimited JSON. */
import { CrowdVisionError } from '@crowdvision/contracts';
import { textOf } from '../decode/message/json.ts';

export const NDJSON_TYPE = 'application/x-ndjson';

/** Parses NDJSON, one JSON value per line; empty lines are skipped. @throws CrowdVisionError `not_json` */
export function parseNdjson(raw: Buffer): unknown[] {
	const values: unknown[] = [];
	for (const [index, line] of textOf(raw).split('\n').entries()) {
		if (line.trim() === '') continue;
		try {
			values.push(JSON.parse(line));
		} catch {
			throw new CrowdVisionError('not_json', `Line ${index + 1} is not valid JSON`, { index: values.length });
		}
	}
	return values;
}
