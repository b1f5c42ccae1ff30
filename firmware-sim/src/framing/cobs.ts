/** CRC-16/CCITT-FALSE, computed bit by bit, as on a microcontroller without memory for a table. */
export function crc16(bytes: Iterable<number>): number {
	let crc = 0xffff;
	for (const byte of bytes) {
		crc ^= byte << 8;
		for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? ((crc << 1) ^ 0x1021) & 0xffff : (crc << 1) & 0xffff;
	}
	return crc;
}

/** Consistent Overhead Byte Stuffing (Cheshire and Baker 1999), without the zero that ends a frame. */
export function encodeCobs(bytes: Iterable<number>): number[] {
	const out: number[] = [];
	let run: number[] = [];
	let full = false;
	for (const byte of bytes) {
		if (run.length === 254) {
			out.push(255, ...run);
			run = [];
		}
		full = false;
		if (byte === 0) {
			out.push(run.length + 1, ...run);
			run = [];
		} else {
			run.push(byte);
			full = run.length === 254;
		}
	}
	return full ? [...out, 255, ...run] : [...out, run.length + 1, ...run];
}
