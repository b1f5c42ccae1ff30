import type { Frame } from '../frame.ts';

/**
 * The times of the readings of each frame that came before in it, by sensor and metric: one message may hold a backlog
 * from an hour that clocks show twice, and its readings stand in order.
 */
export class EarlierInFrame {
	readonly #frames = new WeakMap<Frame, Map<string, { index: number; at: number }>>();

	/** The time of the one before `index`; undefined for the first. A frame may be read again from its start. */
	at(frame: Frame, series: string, index: number): number | undefined {
		const earlier = this.#frames.get(frame)?.get(series);
		return earlier && earlier.index < index ? earlier.at : undefined;
	}

	note(frame: Frame, series: string, index: number, at: number): void {
		const times = this.#frames.get(frame) ?? new Map<string, { index: number; at: number }>();
		times.set(series, { index, at });
		this.#frames.set(frame, times);
	}
}
