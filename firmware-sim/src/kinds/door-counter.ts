import type { Measurement, SensorKind } from './kind.ts';

/**
 * An infrared door counter: reports how many people came in and went out since its last message. Its first message
 * after switching on reports the difference between the people inside and the count in its flash memory.
 */
export const doorCounter: SensorKind = {
	metrics: ['peopleIn', 'peopleOut'],
	switchOn: (remembered = 0) => {
		let reported: { entered: number; left: number } | undefined;
		return (room) => {
			const before = reported ? reported.entered - reported.left : remembered;
			const came = reported ? room.entered - reported.entered : Math.max(0, room.people - remembered);
			const went = reported ? room.left - reported.left : Math.max(0, remembered - room.people);
			reported = { entered: room.entered, left: room.left };
			const peopleIn: Measurement = { metric: 'peopleIn', value: came };
			const peopleOut: Measurement = { metric: 'peopleOut', value: went };
			if (went === 0) return [peopleIn];
			if (came === 0) return [peopleOut];
			// In an order in which the count in between is possible: not below 0, and not above the counts before and after.
			return went <= before ? [peopleOut, peopleIn] : [peopleIn, peopleOut];
		};
	},
};
