import type { Era } from './eras.ts';

/** The content of the clock's file in the gateway's folder. */
export interface ClockState {
	/** The newest time that was ever known, epoch ms. */
	newest: number;
	/** The boot of the machine to which the monotonic times belong. */
	boot: string | undefined;
	/** The gateway's time minus the monotonic clock, ms. */
	offset: number;
	/** Monotonic clock when the gateway started to ignore the system clock, ms. */
	holdoverSince: number | undefined;
	eras: readonly Era[];
}

/** Returns `value` if it has the shape of a clock's state, as the file's checksum does not say what wrote it. */
export function validClockState(value: ClockState | undefined): ClockState | undefined {
	return value && Number.isFinite(value.newest) && Number.isFinite(value.offset) && Array.isArray(value.eras)
		? value
		: undefined;
}
