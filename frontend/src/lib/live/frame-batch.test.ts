import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FrameBatch, nextFrame } from './frame-batch.ts';

function createBatch(max?: number) {
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
		max,
	);
	return { applied, batch, frame: () => frames.shift()?.(), frames };
}

describe('a batch per frame', () => {
	it('passes on everything since the last frame at once and in order', () => {
		const { applied, batch, frame, frames } = createBatch();
		batch.add([1, 2]);
		batch.add([3]);
		expect(applied).toEqual([]);
		expect(frames).toHaveLength(1);
		frame();
		batch.add([4]);
		frame();
		expect(applied).toEqual([[1, 2, 3], [4]]);
	});

	it('requests no frame while nothing waits', () => {
		const { batch, frames } = createBatch();
		batch.add([]);
		expect(frames).toEqual([]);
	});

	it('passes items on at its bound when frames do not come', () => {
		const { applied, batch, frames } = createBatch(4);
		for (let item = 0; item < 10; item++) batch.add([item]);
		expect(applied).toEqual([
			[0, 1, 2, 3],
			[4, 5, 6, 7],
		]);
		expect(frames).toHaveLength(1);
	});

	it('discards what waits when it is dropped', () => {
		const { applied, batch, frames } = createBatch();
		batch.add([1]);
		batch.drop();
		batch.flush();
		expect(applied).toEqual([]);
		expect(frames).toEqual([]);
	});
});

describe('the next frame', () => {
	let hidden: boolean;
	let frames: Map<number, () => void>;
	let ran: number;
	const run = () => {
		ran += 1;
	};

	beforeEach(() => {
		vi.useFakeTimers();
		hidden = false;
		frames = new Map();
		ran = 0;
		vi.stubGlobal('document', {
			get hidden() {
				return hidden;
			},
		});
		vi.stubGlobal('requestAnimationFrame', (callback: () => void) => frames.set(frames.size + 1, callback).size);
		vi.stubGlobal('cancelAnimationFrame', (id: number) => frames.delete(id));
	});
	afterEach(() => {
		vi.useRealTimers();
		vi.unstubAllGlobals();
	});

	it('runs once, at the animation frame of a visible tab', () => {
		nextFrame(run);
		expect(ran).toBe(0);
		frames.get(1)!();
		vi.advanceTimersByTime(5000);
		expect(ran).toBe(1);
	});

	it('runs within a second in a hidden tab, also if the tab was hidden before its frame came', () => {
		nextFrame(run);
		hidden = true;
		nextFrame(run);
		vi.advanceTimersByTime(1000);
		expect(ran).toBe(2);
		expect(frames.size).toBe(0);
	});

	it('does not run when it is cancelled', () => {
		const cancelVisible = nextFrame(run);
		hidden = true;
		const cancelHidden = nextFrame(run);
		cancelVisible();
		cancelHidden();
		vi.advanceTimersByTime(5000);
		expect(ran).toBe(0);
		expect(frames.size).toBe(0);
	});
});
