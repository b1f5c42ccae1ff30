import { measured, type SensorKind } from './kind.ts';

/** Sound level from ventilation and voices; ten times as many voices are ten decibels louder. */
export const noise: SensorKind = {
	metrics: ['noise'],
	switchOn: () => (room, spread) => [
		measured('noise', 10 * Math.log10(10 ** 3.2 + room.people * 10 ** 4.2) + spread(1.5), 1),
	],
};
