import type { Measurement, SensorKind } from './kind.ts';

/**
 * An infrared door counter: how many came in and went out since its last message. It is switched on when nobody is in, as far as
 * it knows, so its first message brings in those who are there.
 */
export const doorCounter: SensorKind = {
	metrics: ['peopleIn', 'peopleOut'],
	switchOn: () => {
		let entered: number | undefined;
		let left = 0;
		return (room) => {
			const before = entered === undefined ? 0 : entered - left;
			const came = entered === undefined ? room.people : room.entered - entered;
			const went = entered === undefined ? 0 : room.left - left;
			entered = room.entered;
			left = room.left;
			const peopleIn: Measurement = { metric: 'peopleIn', value: came };
			const peopleOut: Measurement = { metric: 'peopleOut', value: went };
			if (went === 0) return [peopleIn];
			if (came === 0) return [peopleOut];
			// Told in an order in which the count in between was possible: never below 0, and not above what it was or becomes.
			return went <= before ? [peopleOut, peopleIn] : [peopleIn, peopleOut];
		};
	},
};
