import { readFileSync, statSync } from 'node:fs';

/**
 * What the system says of its wall clock: `synchronized` as of `stamp`, which changes each time it is synchronized
 * anew; `waiting` for it; or `silent`, where nothing that a process may read tells (chrony and ntpd keep it to
 * themselves, a container sees nothing of it).
 */
export type Evidence = { kind: 'synchronized'; stamp: number } | { kind: 'waiting' } | { kind: 'silent' };

/** Where the gateway's clock gets its time from. All in ms. */
export interface TimeSource {
	/** The system's wall clock, since 1970. */
	wall(): number;
	/** A clock that nobody sets. It goes on through restarts of the process while `boot` stays the same. */
	monotonic(): number;
	/** Changes when the machine starts; undefined where the system does not say. */
	readonly boot: string | undefined;
	evidence(): Evidence;
}

/**
 * Kept by systemd-timesyncd: the folder while it runs, the file touched whenever it has synchronized the clock
 * (systemd-timesyncd.service(8)).
 */
const TIMESYNC = '/run/systemd/timesync';
const BOOT_ID = '/proc/sys/kernel/random/boot_id';

/** The time of this machine; `timesync`: where systemd-timesyncd tells of itself. */
export function systemTime(timesync = TIMESYNC): TimeSource {
	// performance.now() costs a third of hrtime, and begins anew with each process.
	const before = Number(process.hrtime.bigint()) / 1e6 - performance.now();
	return {
		wall: () => Date.now(),
		monotonic: () => before + performance.now(),
		boot: bootId(),
		evidence() {
			const synchronized = modified(`${timesync}/synchronized`);
			if (synchronized !== undefined) return { kind: 'synchronized', stamp: synchronized };
			return { kind: modified(timesync) === undefined ? 'silent' : 'waiting' };
		},
	};
}

function modified(path: string): number | undefined {
	try {
		return statSync(path, { throwIfNoEntry: false })?.mtimeMs;
	} catch {
		// What may not be looked at tells nothing.
		return undefined;
	}
}

function bootId(): string | undefined {
	try {
		return readFileSync(BOOT_ID, 'utf8').trim();
	} catch {
		return undefined;
	}
}
