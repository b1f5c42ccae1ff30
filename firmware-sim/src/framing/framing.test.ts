import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DeviceReading } from '../reading.ts';
import { crc16, encodeCobs } from './cobs.ts';
import { createEncoder, encodeLine, LineSplitter, parseReply } from './framing.ts';

const reading: DeviceReading = {
	sensorId: 'hall-door',
	metric: 'peopleIn',
	value: 3,
	unit: 'person',
	buildingId: 'b\n1',
	roomId: 'hall',
	observedAt: 1,
	seq: 5,
	boot: '7f3a',
};

describe('the jsonl framing', () => {
	it('puts one reading on one line', () => {
		const text = Buffer.from(encodeLine(reading)).toString();
		expect(text.indexOf('\n')).toBe(text.length - 1);
		expect(JSON.parse(text)).toEqual(reading);
	});

	it('yields the same lines however the bytes are cut', () => {
		const line = fc.string().filter((text) => !text.includes('\n'));
		fc.assert(
			fc.property(fc.array(line), fc.array(fc.integer({ min: 1, max: 20 })), (lines, sizes) => {
				const bytes = Buffer.from(lines.map((text) => `${text}\n`).join(''));
				const splitter = new LineSplitter(10_000);
				const found: string[] = [];
				for (let at = 0, turn = 0; at < bytes.length; turn++) {
					const size = sizes[turn % Math.max(1, sizes.length)] ?? 3;
					found.push(...splitter.push(bytes.subarray(at, at + size)));
					at += size;
				}
				expect(found).toEqual(lines);
			}),
		);
	});

	it('discards and counts a line that is too long, and continues with the next', () => {
		const splitter = new LineSplitter(16);
		expect(splitter.push(Buffer.from('x'.repeat(10)))).toEqual([]);
		expect(splitter.push(Buffer.from('y'.repeat(1000)))).toEqual([]);
		expect(splitter.push(Buffer.from('tail\nACK 1\nACK'))).toEqual(['ACK 1']);
		expect(splitter.push(Buffer.from(' 2\n'))).toEqual(['ACK 2']);
		expect(splitter.discarded).toBe(1);
	});

	it('parses ACK and NAK, and nothing else', () => {
		expect(parseReply('ACK 17')).toEqual({ kind: 'ack', seq: 17 });
		expect(parseReply('ACK 17\r')).toEqual({ kind: 'ack', seq: 17 });
		expect(parseReply('NAK 3 log_full try later')).toEqual({ kind: 'nak', seq: 3, reason: 'log_full try later' });
		expect(parseReply('NAK 3')).toEqual({ kind: 'nak', seq: 3, reason: '' });
		for (const other of [
			'',
			'ACK',
			'ACK x',
			'ack 1',
			'XACK 1',
			'ACK 1.5',
			'ACK -1',
			'{"id":"c1"}',
			'ACK 12345678901234567',
		]) {
			expect(parseReply(other)).toBeUndefined();
		}
	});
});

describe('the checksummed and binary framings', () => {
	const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();

	it('match the published examples of CRC-16/CCITT-FALSE and COBS', () => {
		expect(crc16(Buffer.from('123456789'))).toBe(0x29b1);
		const packet = Buffer.from('4500002C4C79000040064F37', 'hex');
		expect(Buffer.from(encodeCobs(packet)).toString('hex').toUpperCase()).toBe('02450104' + '2C4C7901' + '0540064F37');
		const long = Array.from({ length: 254 }, (_, i) => i + 1);
		expect(encodeCobs(long)).toEqual([255, ...long]);
		expect(encodeCobs([...long, 255])).toEqual([255, ...long, 2, 255]);
		expect(encodeCobs([...long, 0])).toEqual([255, ...long, 1, 1]);
	});

	it('write CSV rows below a header, quoted where necessary', () => {
		const encoder = createEncoder('csv');
		expect(text(encoder.preamble)).toBe('seq,boot,sensorId,metric,value,unit,buildingId,roomId,observedAt\n');
		expect(text(encoder.reading({ ...reading, buildingId: 'b "1", x' }))).toBe(
			'\n5,7f3a,hall-door,peopleIn,3,person,"b ""1"", x",hall,1\n',
		);
	});

	it('end lines in their CRC with checksum', () => {
		const [, line = '', crc = ''] =
			/^(.*)\*([0-9A-F]{4})\n$/.exec(text(createEncoder('jsonl', true).reading(reading))) ?? [];
		expect(JSON.parse(line)).toEqual(reading);
		expect(Number.parseInt(crc, 16)).toBe(crc16(Buffer.from(line)));
	});

	it('put CBOR and its CRC between zeros, without a zero inside', () => {
		const frame = createEncoder('cobs').reading(reading);
		expect([frame[0], frame.at(-1)]).toEqual([0, 0]);
		expect(frame.subarray(1, -1)).not.toContain(0);
	});
});
