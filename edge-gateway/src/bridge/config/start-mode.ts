import { pause } from '@crowdvision/service-kit';
import type { BridgeSettings } from './bridge-settings.ts';

const MINUTE_MS = 60_000;
const DAY_MINUTES = 24 * 60;
/** A pause that follows the clock of the machine, which may be set meanwhile, is checked this often. */
const CHECK_CLOCK_MS = 30_000;

const minutesOf = (time: string) => Number(time.slice(0, 2)) * 60 + Number(time.slice(3));

/**
 * Milliseconds until the end of the window that contains `now`; 0 when there is none. Windows are in local time and may
 * span midnight.
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
 * Resolves when the bridge should connect: with `lazy` once enough messages wait, with `scheduled` once a window
 * begins, otherwise at once. The caller has to stop a bridge with `once` after its first connection.
 */
export async function untilWanted(
	settings: BridgeSettings,
	queue: { lag(): number; grown(signal: AbortSignal): Promise<void> },
	signal: AbortSignal,
): Promise<void> {
	if (settings.start === 'lazy')
		while (!signal.aborted && queue.lag() < settings.lazy.messages) await queue.grown(signal);
	if (settings.start === 'scheduled')
		while (!signal.aborted && openFor(settings.schedule, new Date()) === 0) await pause(CHECK_CLOCK_MS, signal);
}

/** Resolves with the reason when the bridge should disconnect; never for `automatic` and `once`. */
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
			await pause(Math.min(left, CHECK_CLOCK_MS), signal);
		return 'the window of the schedule is over';
	}
	return new Promise(() => undefined);
}
