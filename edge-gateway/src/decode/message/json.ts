import { isAscii, isUtf8 } from 'node:buffer';
import { CrowdVisionError } from '@crowdvision/contracts';

/**
 * The text of a payload. What is not UTF-8 is refused: with replacement characters for what cannot be read, a damaged
 * id would become another id.
 * @throws CrowdVisionError `not_json`
 */
export function textOf(raw: Buffer): string {
	// Nearly always, and a third faster to read.
	if (isAscii(raw)) return raw.toString('latin1');
	if (!isUtf8(raw)) throw new CrowdVisionError('not_json', 'The payload is not UTF-8');
	return raw.toString('utf8');
}

/** @throws CrowdVisionError `not_json` */
export function parseJson(raw: Buffer): unknown {
	const text = textOf(raw);
	try {
		return JSON.parse(text);
	} catch {
		throw new CrowdVisionError('not_json', 'The payload is not valid JSON');
	}
}
