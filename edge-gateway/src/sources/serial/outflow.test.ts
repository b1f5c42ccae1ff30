import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Outflow, type Outlet } from './outflow.ts';

/** A port that completes a write when the test says so, and reads the bytes only then, as the kernel does. */
class SlowPort implements Outlet {
	isOpen = true;
	written = '';
	pending: { bytes: Buffer; done: (error?: Error) => void }[] = [];

	write(bytes: Buffer, done: (error?: Error) => void): void {
		this.pending.push({ bytes, done });
	}

	completeWrite(): void {
		const write = this.pending.shift();
		if (!write) return;
		this.written += write.bytes.toString('latin1');
		write.done();
	}
}

it('a serial port writes all text it accepted, whole and in order, however slowly the device reads', () => {
	const text = fc.string({ unit: fc.constantFrom('a', 'b', '\n'), minLength: 1, maxLength: 20 });
	fc.assert(
		fc.property(fc.array(fc.oneof(text, fc.constant(undefined)), { maxLength: 100 }), (steps) => {
			const port = new SlowPort();
			const outflow = new Outflow(port, 16);
			let accepted = '';
			for (const step of steps) {
				if (step === undefined) port.completeWrite();
				else if (outflow.write(step)) accepted += step;
				expect(port.pending.length).toBeLessThanOrEqual(1);
			}
			while (port.pending.length > 0) port.completeWrite();
			expect(port.written).toBe(accepted);
		}),
	);
});

it('a serial device that reads nothing costs two buffers of memory, and is answered again once it reads', () => {
	const port = new SlowPort();
	const outflow = new Outflow(port, 1000);
	const memory = new Set<ArrayBufferLike>();
	const written = Array.from({ length: 10_000 }, (_, i) => outflow.write(`ACK ${i}\n`)).filter(Boolean).length;
	while (port.pending.length > 0) {
		for (const { bytes } of port.pending) memory.add(bytes.buffer);
		port.completeWrite();
	}
	// The first answer went to the port at once; what fits into the buffer waited behind it.
	expect(port.written.split('\n')).toHaveLength(written + 1);
	expect(port.written.length).toBeGreaterThan(1000);
	expect(port.written.length).toBeLessThanOrEqual(1000 + 'ACK 0\n'.length);
	expect([...memory].map(({ byteLength }) => byteLength)).toEqual([1000, 1000]);
	expect(outflow.write('ACK 1\n')).toBe(true);
	port.completeWrite();
	expect(port.written.endsWith('ACK 1\n')).toBe(true);
});

it('a closed serial port is not written to, neither with new text nor with what waited', () => {
	const port = new SlowPort();
	const outflow = new Outflow(port);
	expect([outflow.write('one'), outflow.write('two')]).toEqual([true, true]);
	port.isOpen = false;
	expect(outflow.write('three')).toBe(false);
	port.pending.shift()!.done(new Error('Canceled'));
	expect(port.pending).toEqual([]);
});
