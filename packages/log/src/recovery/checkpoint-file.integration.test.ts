import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CheckpointFile } from './checkpoint-file.ts';

let dir: string;
let path: string;
beforeEach(() => {
	dir = mkdtempSync(join(tmpdir(), 'checkpoint-'));
	path = join(dir, 'meta');
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const fresh = () => {
	for (const name of readdirSync(dir)) rmSync(join(dir, name), { recursive: true });
};
const value = fc.record({ text: fc.string({ unit: 'binary', maxLength: 200 }), number: fc.integer() });
/** A value after a round trip through JSON in UTF-8. */
const stored = (given: unknown) => JSON.parse(Buffer.from(JSON.stringify(given)).toString());

describe('a checkpoint file', () => {
	it('returns the last value written when it is opened again', async () => {
		await fc.assert(
			fc.asyncProperty(
				fc.array(fc.tuple(value, fc.boolean(), fc.boolean()), { minLength: 1, maxLength: 8 }),
				async (writes) => {
					fresh();
					let file = new CheckpointFile(path);
					expect(file.read()).toEqual({ value: undefined, damaged: 0 });
					for (const [next, sync, reopen] of writes) {
						if (sync) file.writeSync(next);
						else await file.write(next);
						if (reopen) file = new CheckpointFile(path);
						expect(file.read()).toEqual({ value: stored(next), damaged: 0 });
					}
				},
			),
			{ numRuns: 50 },
		);
	});

	it('returns the last value or the previous one, whatever happens to one file, and stays writable', () => {
		const harm = fc.record({
			which: fc.constantFrom('a', 'b'),
			kind: fc.constantFrom('flip', 'cut', 'zero', 'empty', 'delete', 'folder', 'garbage'),
			at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
			flip: fc.integer({ min: 1, max: 255 }),
		});
		fc.assert(
			fc.property(value, value, value, fc.boolean(), harm, (first, second, third, swap, { which, kind, at, flip }) => {
				fresh();
				const file = new CheckpointFile(path);
				file.writeSync(first);
				file.writeSync(second);
				if (swap) {
					renameSync(`${path}.a`, `${path}.c`);
					renameSync(`${path}.b`, `${path}.a`);
					renameSync(`${path}.c`, `${path}.b`);
				}
				const target = `${path}.${which}`;
				const bytes = readFileSync(target);
				const position = Math.floor(at * bytes.length);
				rmSync(target);
				if (kind === 'folder') mkdirSync(target);
				else if (kind === 'flip') writeFileSync(target, bytes.with(position, bytes[position]! ^ flip));
				else if (kind === 'cut') writeFileSync(target, bytes.subarray(0, position));
				else if (kind === 'zero') writeFileSync(target, Buffer.alloc(bytes.length));
				else if (kind === 'empty') writeFileSync(target, '');
				else if (kind === 'garbage') writeFileSync(target, Buffer.concat([bytes, Buffer.from('garbage')]));
				const reopened = new CheckpointFile(path);
				expect([stored(first), stored(second)]).toContainEqual(reopened.read().value);
				reopened.writeSync(third);
				expect(new CheckpointFile(path).read()).toEqual({ value: stored(third), damaged: expect.any(Number) });
				reopened.writeSync(first);
				expect(new CheckpointFile(path).read()).toEqual({ value: stored(first), damaged: 0 });
			}),
			{ numRuns: 300 },
		);
	});

	it('never overwrites the newest value, even after its files changed places', () => {
		const file = new CheckpointFile<number>(path);
		file.writeSync(1);
		file.writeSync(2);
		const [older, newer] = readFileSync(`${path}.a`, 'utf8').includes('"value":2') ? ['b', 'a'] : ['a', 'b'];
		renameSync(`${path}.${older}`, `${path}.c`);
		renameSync(`${path}.${newer}`, `${path}.${older}`);
		renameSync(`${path}.c`, `${path}.${newer}`);
		const swapped = new CheckpointFile<number>(path);
		expect(swapped.read().value).toBe(2);
		swapped.writeSync(3);
		const both = ['a', 'b'].map((end) => readFileSync(`${path}.${end}`, 'utf8')).join();
		expect(both).toContain('"value":2');
		expect(both).toContain('"value":3');
	});

	it('settles each of many concurrent writes, with the last value on disk', async () => {
		const file = new CheckpointFile<number>(path);
		await Promise.all(Array.from({ length: 500 }, (_, n) => file.write(n)));
		expect(new CheckpointFile(path).read().value).toBe(499);
		// Writes that came while one was running were combined into the last one.
		expect(JSON.parse(readFileSync(`${path}.a`, 'utf8').slice(9)).serial).toBeLessThan(10);
	});

	it('keeps both values when a process ends in the middle of a write', () => {
		const file = new CheckpointFile<number>(path);
		file.writeSync(1);
		file.writeSync(2);
		writeFileSync(`${path}.tmp`, 'half a va');
		const reopened = new CheckpointFile<number>(path);
		expect(reopened.read()).toEqual({ value: 2, damaged: 0 });
		expect(readdirSync(dir)).toHaveLength(2);
	});

	it('rejects a failed write, keeps the previous value, and writes again later', async () => {
		const file = new CheckpointFile<number>(path);
		file.writeSync(1);
		file.writeSync(2);
		renameSync(dir, `${dir}-away`);
		await expect(file.write(3)).rejects.toThrow('ENOENT');
		expect(() => file.writeSync(4)).toThrow('ENOENT');
		renameSync(`${dir}-away`, dir);
		expect(new CheckpointFile(path).read().value).toBe(2);
		await file.write(5);
		expect(new CheckpointFile(path).read()).toEqual({ value: 5, damaged: 0 });
	});
});
