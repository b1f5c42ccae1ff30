import { generate } from 'mqtt-packet';
import { describe, expect, it } from 'vitest';
import { Histogram } from './histogram.ts';
import { packetReader } from './mqtt.ts';
import { FIRST_SEQ, ReadingWriter, sensorId, seqAt } from './reading.ts';
import { ReceivedReadings } from './received-readings.ts';

describe('the reading writer', () => {
	it('writes readings of about 150 bytes with increasing numbers, which can be read back', () => {
		const writer = new ReadingWriter(sensorId(17));
		const buffer = Buffer.alloc(writer.length + 5);
		writer.write(buffer, 5, 1_764_000_000_001);
		writer.write(buffer, 5, 1_764_000_000_002);
		expect(writer.length).toBeGreaterThan(130);
		expect(writer.length).toBeLessThan(170);
		expect(JSON.parse(buffer.toString('utf8', 5))).toEqual({
			sensorId: 's-017',
			metric: 'co2',
			value: 401.5,
			unit: 'ppm',
			buildingId: 'bench',
			roomId: 'hall',
			observedAt: 1_764_000_000_002,
			seq: FIRST_SEQ + 1,
			boot: 'a1f3',
		});
		expect(seqAt(buffer, 5)).toBe(FIRST_SEQ + 1);
	});
});

describe('the packet reader', () => {
	it('yields the same packets however the stream is cut', () => {
		const packets = [
			generate({ cmd: 'puback', messageId: 300 }),
			generate({ cmd: 'publish', topic: 'a', payload: 'x'.repeat(200), qos: 0, dup: false, retain: false }),
			generate({ cmd: 'pingresp' }),
			generate({
				cmd: 'publish',
				topic: 'b',
				payload: 'y'.repeat(20_000),
				qos: 1,
				messageId: 7,
				dup: false,
				retain: false,
			}),
		];
		const stream = Buffer.concat(packets);
		for (const size of [1, 2, 3, 7, 199, 5000, stream.length]) {
			const found: [number, number][] = [];
			const read = packetReader((type, _flags, _data, from, to) => found.push([type, to - from]));
			for (let at = 0; at < stream.length; at += size) read(stream.subarray(at, at + size));
			expect(found).toEqual([
				[4, 2],
				[3, 203],
				[13, 0],
				[3, 20_005],
			]);
		}
	});
});

describe('the histogram', () => {
	it('gives quantiles with an error of at most 1 %', () => {
		const histogram = new Histogram();
		for (let milliseconds = 1; milliseconds <= 1000; milliseconds++) histogram.record(milliseconds);
		for (const share of [0.01, 0.5, 0.99, 1])
			expect(Math.abs(histogram.quantile(share) / (share * 1000) - 1)).toBeLessThan(0.011);
		histogram.clear();
		expect(histogram.quantile(0.5)).toBeNaN();
	});
});

describe('the received readings', () => {
	it('count what is missing and what was received twice, leaving out what was never acknowledged', () => {
		const received = new ReceivedReadings();
		for (const seq of [0, 1, 1, 3, 100_000]) received.add(2, FIRST_SEQ + seq);
		expect(received.received).toBe(5);
		expect(received.compare(2, 4, new Set())).toEqual({ missing: 1, duplicates: 1 });
		expect(received.compare(2, 5, new Set([FIRST_SEQ + 2]))).toEqual({ missing: 1, duplicates: 1 });
		expect(received.compare(9, 3, new Set())).toEqual({ missing: 3, duplicates: 0 });
	});
});
