import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createFault, FAULT_NAMES, Faults } from './faults.ts';
import { encodeLine } from './framing/framing.ts';
import type { DeviceReading } from './reading.ts';

const reading: DeviceReading = {
	sensorId: 'hall-door',
	metric: 'peopleIn',
	value: 3,
	unit: 'person',
	buildingId: 'b1',
	roomId: 'hall',
	observedAt: 1_764_000_000_000,
	seq: 5,
	boot: '7f3a',
};
const numbers = Array.from({ length: 2000 }, (_, index) => index);
const sendAll = (faults: Faults) => numbers.flatMap((number) => faults.onSend(number));

describe('faults', () => {
	it('strike the same messages for the same seed, others for another seed, about as often as their rate says', () => {
		for (const name of ['drop', 'duplicate', 'reorder'] as const) {
			expect(sendAll(new Faults([`${name}:0.2`], 1))).toEqual(sendAll(new Faults([`${name}:0.2`], 1)));
			expect(sendAll(new Faults([`${name}:0.2`], 1))).not.toEqual(sendAll(new Faults([`${name}:0.2`], 2)));
			const faults = new Faults([`${name}:0.2`], 1);
			sendAll(faults);
			expect(faults.all[0]!.injected).toBeGreaterThan(250);
			expect(faults.all[0]!.injected).toBeLessThan(480);
		}
	});

	it('never strike at rate 0 and always at rate 1', () => {
		expect(sendAll(new Faults(FAULT_NAMES.map((name) => `${name}:0`)))).toEqual(numbers);
		expect(sendAll(new Faults(['drop:1']))).toEqual([]);
		expect(sendAll(new Faults(['duplicate:1']))).toEqual(numbers.flatMap((number) => [number, number]));
		expect(sendAll(new Faults(['reorder:1'])).slice(0, 4)).toEqual([1, 0, 3, 2]);
		expect(new Faults(['unplug:1']).onSent()).toBe(true);
		expect(new Faults(['flood:1']).onSample()).toBeGreaterThan(1);
	});

	it('lose nothing by reorder and duplicate except a message that is still delayed', () => {
		fc.assert(
			fc.property(fc.integer(), (seed) => {
				const sent = sendAll(new Faults(['reorder:0.3', 'duplicate:0.1'], seed));
				const missing = numbers.filter((number) => !sent.includes(number));
				expect(missing.length).toBeLessThanOrEqual(1);
				expect(sent).not.toEqual([...sent].sort((a, b) => a - b));
			}),
			{ numRuns: 10 },
		);
	});

	it('corrupt and tear frames so that they are never a reading, alone or joined to the next one', () => {
		const frame = encodeLine(reading);
		const decode = (bytes: Uint8Array) => JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
		fc.assert(
			fc.property(fc.integer(), fc.constantFrom('corrupt-byte:1', 'torn-frame:1'), (seed, spec) => {
				const broken = new Faults([spec], seed).onFrame(frame);
				expect(Buffer.from(broken).equals(frame)).toBe(false);
				const lines = Buffer.concat([broken, frame]).toString('latin1').split('\n').filter(Boolean);
				const good = lines.filter((line) => {
					try {
						return decode(Buffer.from(line, 'latin1'));
					} catch {
						return false;
					}
				});
				expect(good.length).toBe(lines.length === 1 ? 0 : 1);
			}),
		);
	});

	it('change nothing but the time, to one in 1970 or none, when the clock is not set', () => {
		const faults = new Faults(['clock-1970'], 1);
		const times = new Set<number | undefined>();
		for (let index = 0; index < 20; index++) {
			const { observedAt, ...rest } = faults.onReading(reading, 61_000);
			times.add(observedAt);
			const { observedAt: _, ...expected } = reading;
			expect(rest).toEqual(expected);
		}
		expect(times).toEqual(new Set([61_000, undefined]));
		expect(Object.hasOwn(reading, 'observedAt')).toBe(true);
	});

	it('are rejected, with the allowed names, if they do not exist', () => {
		for (const spec of [
			'',
			'Drop',
			'drop:2',
			'drop:-1',
			'drop:x',
			'gremlins',
			'drop:0.1:2',
			'constructor',
			'toString',
		]) {
			expect(() => createFault(spec, 1)).toThrow(RangeError);
		}
		expect(() => createFault('gremlins', 1)).toThrow(/"gremlins" must be one of drop, duplicate, .*clock-1970/);
		expect(() => createFault('drop:2', 1)).toThrow(/from 0 to 1/);
	});
});
