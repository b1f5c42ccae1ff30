import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { shallowRef } from 'vue';
import { mount } from '../../testing/mount.ts';
import { useVisible } from './use-visible.ts';

/** The observers that watch an element. */
let observers: Set<(entries: { isIntersecting: boolean }[]) => void>;

function report(isIntersecting: boolean): void {
	for (const callback of [...observers]) callback([{ isIntersecting }]);
}

beforeEach(() => {
	observers = new Set();
	vi.stubGlobal(
		'IntersectionObserver',
		class {
			readonly callback: (entries: { isIntersecting: boolean }[]) => void;
			constructor(callback: (entries: { isIntersecting: boolean }[]) => void) {
				this.callback = callback;
			}
			observe() {
				observers.add(this.callback);
			}
			disconnect() {
				observers.delete(this.callback);
			}
		},
	);
	onTestFinished(() => void vi.unstubAllGlobals());
});

const watchElement = () => mount(() => useVisible(shallowRef({} as Element)));

describe('an element', () => {
	it('counts as visible from when it first comes near the screen, and is watched no more then', () => {
		const { result: visible } = watchElement();
		report(false);
		expect(visible.value).toBe(false);
		report(true);
		expect(visible.value).toBe(true);
		expect(observers.size).toBe(0);
	});

	it('is watched no more after the page is closed', () => {
		watchElement().unmount();
		expect(observers.size).toBe(0);
	});
});
