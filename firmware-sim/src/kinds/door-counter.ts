import type { Measurement, SensorKind } from './kind.ts';

/**
 * An infrared door counter: how many came in and went out since its last message. The first message after it was
 * switched on tells the difference between those who are in and those it has told of before.
 */
export const doorCounter: SensorKind = {
	metrics: ['peopleIn', 'peopleOut'],
	switchOn: (remembered = 0) => {
		let told: { entered: number; left: number } | undefined;
		return (room) => {
			const before = told ? told.entered - told.left : remembered;
			const came = told ? room.entered - told.entered : Math.max(0, room.people - remembered);
			const went = told ? room.left - told.left : Math.max(0, remembered - room.people);
			told = { entered: room.entered, left: room.left };
			const peopleIn: Measurement = { metric: 'peopleIn', value: came };
			const peopleOut: Measurement = { metric: 'peopleOut', value: went };
			if (went === 0) return [peopleIn];
			if (came === 0) return [peopleOut];
			// Told in an order in which the count in between was possible: never below 0, and not above what it was or
			// becomes.
			return went <= before ? [peopleOut, peopleIn] : [peopleIn, peopleOut];
		};
	},
};
