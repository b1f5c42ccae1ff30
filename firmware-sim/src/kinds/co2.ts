import { measured, type SensorKind } from './kind.ts';

/** Carbon dioxide, as an infrared cell measures it: a few ppm and a little of the value uncertain. */
export const co2: SensorKind = {
	metrics: ['co2'],
	switchOn: () => (room, noise) => [measured('co2', room.co2 + noise(6 + room.co2 * 0.005), 0)],
};
