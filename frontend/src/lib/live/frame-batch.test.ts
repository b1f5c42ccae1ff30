import { describe, expect, it } from 'vitest';
import { FrameBatch } from './frame-batch.ts';

function stage(most?: number) {
	const applied: number[][] = [];
	const frames: (() => void)[] = [];
	const batch = new FrameBatch<number>(
		(items) => applied.push(items),
		(run) => {
			frames.push(run);
			return () => {
				frames.splice(frames.indexOf(run), 1);
			};
		},
		most,
	);
	return { applied, batch, frame: () => frames.shift()?.(), frames };
}

describe('readings applied once per frame', () => {
	it('hands on everything since the last frame at once and in order', () => {
		const { applied, batch, frame, frames } = stage();
		batch.add([1, 2]);
		batch.add([3]);
		expect(applied).toEqual([]);
		expect(frames).toHaveLength(1);
		frame();
		batch.add([4]);
		frame();
		expect(applied).toEqual([[1, 2, 3], [4]]);
	});

	it('asks for no frame while there is nothing to do', () => {
		const { batch, frames } = stage();
		batch.add([]);
		expect(frames).toEqual([]);
	});

	it('does not grow without bound when frames do not come', () => {
		const { applied, batch, frames } = stage(4);
		for (let item = 0; item < 10; item++) batch.add([item]);
		expect(applied).toEqual([
			[0, 1, 2, 3],
			[4, 5, 6, 7],
		]);
		expect(frames).toHaveLength(1);
	});

	it('forgets what waits when it is dropped', () => {
		const { applied, batch, frames } = stage();
		batch.add([1]);
		batch.drop();
		batch.flush();
		expect(applied).toEqual([]);
		expect(frames).toEqual([]);
	});
});
