/** What is out of the ordinary about a stored reading, in words. */
import { type DoorEvent, epochMs, freshMs, type Reading, readTimestamp } from '@crowdvision/contracts';

/** A sentence about a reading, and what to do about it, if anything. */
export interface Remark {
	text: string;
	todo?: string;
}

const MINUTE_MS = 60_000;
const CLOCK =
	'Set the clock of the device. If it sends local time without an offset, set `timeZone` of its decoder rule or port.';
const BOOT =
	'If it happens often, let the device send `boot`, `seq` or `uptime`, which tell a restart from a correction.';

const CLIPPED: Remark = {
	text: 'the sensor sent a little more than there can be, so the value is the upper limit',
	todo: 'Humidity sensors do that in fog or when wet. If it stays, dry or replace the sensor.',
};

/** What each finding about a door's message means. */
const DOOR_REMARKS: Readonly<Record<DoorEvent, Remark>> = {
	first: { text: 'it is the first total of this counter, from which counting starts: nobody is counted for it' },
	wrap: { text: 'its counter was full and went on from 0' },
	reset: { text: 'its counter started again from 0, as after a restart' },
	'nightly-reset': { text: 'its counter started again from 0, as it does at this hour every night' },
	corrected: {
		text: 'its counter was set to a lower total than before: nobody is counted for that, and it counts on from there',
		todo: BOOT,
	},
	unsure: {
		text:
			'its total is lower than one before, and nothing tells whether it was corrected, restarted, or overtaken by a ' +
			'later message: nobody is counted until that is clear, and then the interval says how many that may have missed',
		todo: BOOT,
	},
	repeat: {
		text:
			'it repeats what was reported before, as a birth, a retained message or a repetition does: nobody is counted ' +
			'twice',
	},
	jump: {
		text: 'its total rose by more people than can have crossed in the time: nobody is counted for it',
		todo: 'If so many people do cross, raise `perMinute` of this door in occupancy.doors.',
	},
	late: {
		text: 'it is from before the last known count, or was overtaken by a later message: nobody is counted for it',
	},
};

/** Remarks on a stored reading; none for an ordinary one. */
export function remarksOn(reading: Reading): Remark[] {
	const { crossings, interval, metric, freshFor = 0, value } = reading;
	const remarks: Remark[] = [];
	if (reading.clipped) remarks.push(CLIPPED);
	const clock = remarkOnTime(reading);
	if (clock) remarks.push(clock);
	if (crossings?.detected) {
		const { text, ...more } = DOOR_REMARKS[crossings.detected];
		const range =
			interval && interval.low < interval.high ? `; the true count is from ${interval.low} to ${interval.high}` : '';
		remarks.push({ text: `${text}. The count of the room is ${value}${range}`, ...more });
	}
	if (crossings?.clamped !== undefined)
		remarks.push({
			text: `${crossings.clamped} more people left than were counted in the room, which stays at 0`,
			todo: "Look at the room's audit: it names a door that seems to be mounted the wrong way round, if there is one.",
		});
	if (freshFor > freshMs(metric))
		remarks.push({ text: `its value counts as current for ${durationOf(freshFor)}, as its sensor sends rarely` });
	return remarks;
}

/** Why a device's own time does not count. */
function remarkOnTime({ deviceTime, receivedAt, timeQuality }: Reading): Remark | undefined {
	if (deviceTime === undefined || timeQuality !== 'unsynced') return undefined;
	const at = typeof deviceTime === 'number' ? (epochMs(deviceTime) ?? deviceTime) : readTimestamp(deviceTime)?.at;
	const ahead = at === undefined ? 0 : at - receivedAt;
	const why =
		ahead > MINUTE_MS
			? `is ${durationOf(ahead)} ahead of the gateway's clock`
			: at !== undefined && at < Date.UTC(2000, 0, 1)
				? 'is before the year 2000, as of a clock that was never set'
				: "could not be checked, as the gateway's own clock was not set";
	return {
		text: `its device stated the time ${deviceTime}, which ${why}: it counts as observed when it was received`,
		todo: CLOCK,
	};
}

/** A duration in the largest unit that tells it well. */
function durationOf(ms: number): string {
	const minutes = Math.round(ms / MINUTE_MS);
	if (minutes < 120) return `${minutes} minutes`;
	return minutes < 48 * 60 ? `${Math.round(minutes / 6) / 10} hours` : `${Math.round(minutes / 144) / 10} days`;
}
