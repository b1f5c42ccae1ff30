import { pause } from '@crowdvision/service-kit';
import type { BridgeSettings } from './bridge-config.ts';

const MINUTE_MS = 60_000;
const DAY_MINUTES = 24 * 60;
const LOOK_AGAIN_MS = 30_000;

const minutesOf = (time: string) => Number(time.slice(0, 2)) * 60 + Number(time.slice(3));

/**
 * Milliseconds until the window that `now` is in ends, or 0 where it is in none. Windows are by the clock of this
 * machine, and may span midnight.
 */
export function openFor(schedule: BridgeSettings['schedule'], now: Date): number {
	const minute = now.getHours() * 60 + now.getMinutes() + now.getSeconds() / 60 + now.getMilliseconds() / MINUTE_MS;
	let longest = 0;
	for (const { from, to } of schedule) {
		const length = (minutesOf(to) - minutesOf(from) + DAY_MINUTES) % DAY_MINUTES || DAY_MINUTES;
		const since = (minute - minutesOf(from) + DAY_MINUTES) % DAY_MINUTES;
		if (since < length) longest = Math.max(longest, (length - since) * MINUTE_MS);
	}
	return longest;
}

/**
 * Resolves when the bridge is to connect: at once, when enough waits, or when a window begins. `once` is for its owner
 * to remember.
 */
export async function untilWanted(
	settings: BridgeSettings,
	queue: { lag(): number; grown(signal: AbortSignal): Promise<void> },
	signal: AbortSignal,
): Promise<void> {
	if (settings.start === 'lazy')
		while (!signal.aborted && queue.lag() < settings.lazy.messages) await queue.grown(signal);
	if (settings.start === 'scheduled')
		while (!signal.aborted && openFor(settings.schedule, new Date()) === 0) await pause(LOOK_AGAIN_MS, signal);
}

/** Resolves with the reason when a connection is no longer wanted; never where it always is. */
export async function untilUnwanted(
	settings: BridgeSettings,
	idleMs: () => number,
	signal: AbortSignal,
): Promise<string> {
	if (settings.start === 'lazy') {
		while (!signal.aborted && idleMs() < settings.lazy.idleMs) await pause(settings.lazy.idleMs - idleMs(), signal);
		return 'idle';
	}
	if (settings.start === 'scheduled') {
		for (
			let left = openFor(settings.schedule, new Date());
			left > 0 && !signal.aborted;
			left = openFor(settings.schedule, new Date())
		)
			await pause(Math.min(left, LOOK_AGAIN_MS), signal);
		return 'the window of the schedule is over';
	}
	return new Promise(() => undefined);
}
