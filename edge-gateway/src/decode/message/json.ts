import { isAscii, isUtf8 } from 'node:buffer';
import { CrowdVisionError } from '@crowdvision/contracts';

/**
 * A payload as text. Rejects invalid UTF-8: with replacement characters a damaged id would become another id.
 * @throws CrowdVisionError `not_json`
 */
export function textOf(raw: Buffer): string {
	// Nearly every payload is ASCII, which is a third faster to convert as latin1.
	if (isAscii(raw)) return raw.toString('latin1');
	if (!isUtf8(raw)) throw new CrowdVisionError('not_json', 'The payload is not UTF-8');
	return raw.toString('utf8');
}

/** Parses a payload as JSON. @throws CrowdVisionError `not_json` */
export function parseJson(raw: Buffer): unknown {
	const text = textOf(raw);
	try {
		return JSON.parse(text);
	} catch {
		throw new CrowdVisionError('not_json', 'The payload is not valid JSON');
	}
}
