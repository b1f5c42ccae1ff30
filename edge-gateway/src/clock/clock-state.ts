import type { Era } from './eras.ts';

/** The clock's file in the gateway's folder. */
export interface ClockState {
	/** The latest time ever known, epoch ms. */
	newest: number;
	/** The boot of this machine that the monotonic times belong to. */
	boot: string | undefined;
	/** Our time is the monotonic clock plus this, ms. */
	offset: number;
	/** Since when we go by our own clock alone, on the monotonic clock, ms. */
	holdoverSince: number | undefined;
	eras: readonly Era[];
}

/** `value` if it has the shape of a clock's state, else undefined: the file's checksum does not say what wrote it. */
export function validClockState(value: ClockState | undefined): ClockState | undefined {
	return value && Number.isFinite(value.newest) && Number.isFinite(value.offset) && Array.isArray(value.eras)
		? value
		: undefined;
}
