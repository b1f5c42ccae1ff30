import { measured, type SensorKind } from './kind.ts';

/** Carbon dioxide from an infrared cell, with an error of a few ppm plus 0.5 % of the value. */
export const co2: SensorKind = {
	metrics: ['co2'],
	switchOn: () => (room, noise) => [measured('co2', room.co2 + noise(6 + room.co2 * 0.005), 0)],
};
