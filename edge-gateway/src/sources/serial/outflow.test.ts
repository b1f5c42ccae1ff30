import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Outflow, type Outlet } from './outflow.ts';

/** A port that has taken what it was given when it is told to, and looks at it only then, as the system does. */
class SlowPort implements Outlet {
	isOpen = true;
	written = '';
	/** What it was given and has not taken. */
	given: { bytes: Buffer; done: (error?: Error) => void }[] = [];

	write(bytes: Buffer, done: (error?: Error) => void): void {
		this.given.push({ bytes, done });
	}

	takes(): void {
		const one = this.given.shift();
		if (!one) return;
		this.written += one.bytes.toString('latin1');
		one.done();
	}
}

it('everything that it says is written comes out, whole and in order, whenever the device reads', () => {
	const text = fc.string({ unit: fc.constantFrom('a', 'b', '\n'), minLength: 1, maxLength: 20 });
	fc.assert(
		fc.property(fc.array(fc.oneof(text, fc.constant(undefined)), { maxLength: 100 }), (steps) => {
			const port = new SlowPort();
			const outflow = new Outflow(port, 16);
			let accepted = '';
			for (const step of steps) {
				if (step === undefined) port.takes();
				else if (outflow.write(step)) accepted += step;
				expect(port.given.length).toBeLessThanOrEqual(1);
			}
			while (port.given.length > 0) port.takes();
			expect(port.written).toBe(accepted);
		}),
	);
});

it('a device that reads nothing costs two buffers, however long and with whatever between the answers; once it reads, it is answered again', () => {
	const port = new SlowPort();
	const outflow = new Outflow(port, 1000);
	const memory = new Set<ArrayBufferLike>();
	const written = Array.from({ length: 10_000 }, (_, i) => outflow.write(`ACK ${i}\n`)).filter(Boolean).length;
	while (port.given.length > 0) {
		for (const { bytes } of port.given) memory.add(bytes.buffer);
		port.takes();
	}
	// The first went to the port at once; as much as fits waited behind it.
	expect(port.written.split('\n')).toHaveLength(written + 1);
	expect(port.written.length).toBeGreaterThan(1000);
	expect(port.written.length).toBeLessThanOrEqual(1000 + 'ACK 0\n'.length);
	expect([...memory].map(({ byteLength }) => byteLength)).toEqual([1000, 1000]);
	expect(outflow.write('ACK 1\n')).toBe(true);
	port.takes();
	expect(port.written.endsWith('ACK 1\n')).toBe(true);
});

it('is not written to a port that is closed, nor behind what it did not take', () => {
	const port = new SlowPort();
	const outflow = new Outflow(port);
	expect([outflow.write('one'), outflow.write('two')]).toEqual([true, true]);
	port.isOpen = false;
	expect(outflow.write('three')).toBe(false);
	port.given.shift()!.done(new Error('Canceled'));
	expect(port.given).toEqual([]);
});
