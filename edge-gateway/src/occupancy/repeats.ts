/** How a message says again what it said before: a Sparkplug birth, a retained message. */
export type Restated =
	/** With a time of its own, by which something new is recognized. */
	| 'dated'
	/** With the time of the message, or none. */
	| 'undated';

/** What a door says of those who crossed since its last message. */
export interface Said {
	count: number;
	/** Epoch ms. */
	at: number;
	/** Whether `at` is the device's own time, and not that of receipt. */
	isTimed?: boolean;
	receivedAt: number;
	seq?: number | undefined;
	boot?: string | undefined;
}

/**
 * Two people may cross within a second, and a device that counts seconds says the same of both: at once. What comes
 * later than this was sent again.
 */
const AT_ONCE_MS = 3000;

/**
 * Whether a door says again what it said before, which is nobody new: the same `seq`, or as many at the same time. A
 * message that says things again (`restated`) counts only with a later time, or a higher `seq`, than the last.
 */
export function isRepeat(before: Said | undefined, now: Said, restated: Restated | undefined): boolean {
	if (!before) return restated !== undefined;
	const isSameBoot = before.boot === now.boot;
	if (isSameBoot && now.seq !== undefined && before.seq !== undefined) {
		if (now.seq === before.seq) return now.count === before.count;
		return restated !== undefined && now.seq < before.seq;
	}
	if (restated === 'undated') return true;
	if (!now.isTimed || !before.isTimed) return restated !== undefined;
	if (restated) return now.at <= before.at;
	const isToTheMillisecond = now.at % 1000 !== 0;
	return (
		now.at === before.at &&
		now.count === before.count &&
		(isToTheMillisecond || now.receivedAt - before.receivedAt > AT_ONCE_MS)
	);
}
