import { crc16 } from './crc16.ts';

/** A star and four hex digits. */
const SUFFIX_BYTES = 5;
const STAR = 0x2a;

/**
 * Strips the checksum from a line that ends in `*` and the CRC-16/CCITT-FALSE of the bytes before it, in four hex
 * digits. Undefined when the checksum is missing or wrong.
 */
export function stripChecksum(line: Buffer): Buffer | undefined {
	const content = line.subarray(0, Math.max(0, line.length - SUFFIX_BYTES));
	const digits = line.toString('latin1', content.length + 1);
	if (line[content.length] !== STAR || !/^[0-9A-Fa-f]{4}$/.test(digits)) return undefined;
	return Number.parseInt(digits, 16) === crc16(content) ? content : undefined;
}
