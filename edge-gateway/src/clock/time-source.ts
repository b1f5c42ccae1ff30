/** Reads the clocks of the machine, and whether the system has synchronized its time. */
import { readFileSync, statSync } from 'node:fs';

/**
 * What the system says about its wall clock: `synchronized`, with a `stamp` that changes at each synchronization;
 * `waiting` for its time; or `silent` if it says nothing that a process can read (with chrony or ntpd, or in a
 * container).
 */
export type Evidence = { kind: 'synchronized'; stamp: number } | { kind: 'waiting' } | { kind: 'silent' };

/** The clocks that the gateway's clock reads. All times in ms. */
export interface TimeSource {
	/** The system's wall clock, epoch ms. */
	wall(): number;
	/** A clock that cannot be set. It continues across restarts of the process while `boot` stays the same. */
	monotonic(): number;
	/** Changes at each start of the machine; undefined if the system does not say. */
	readonly boot: string | undefined;
	evidence(): Evidence;
}

/** Reads both clocks as close together as possible: the process may be interrupted in between. */
export function readClocks(source: TimeSource): { wall: number; monotonic: number } {
	let monotonic = source.monotonic();
	for (let attempt = 0; ; attempt++) {
		const wall = source.wall();
		const after = source.monotonic();
		if (after - monotonic < 1 || attempt === 3) return { wall, monotonic: after };
		monotonic = after;
	}
}

/**
 * Folder of systemd-timesyncd, which exists while it runs. It touches the file `synchronized` in it at each
 * synchronization (systemd-timesyncd.service(8)).
 */
const TIMESYNC = '/run/systemd/timesync';
const BOOT_ID = '/proc/sys/kernel/random/boot_id';

/** The clocks of this machine. `timesync` is the folder of systemd-timesyncd. */
export function systemTime(timesync = TIMESYNC): TimeSource {
	// performance.now() takes a third of the time of hrtime, but starts at 0 with each process.
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
		// A file that may not be read says nothing.
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
