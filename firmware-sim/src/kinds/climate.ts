import { measured, type SensorKind } from './kind.ts';

/** Temperature and humidity, as an SHT31 measures them. */
export const climate: SensorKind = {
	metrics: ['temperature', 'humidity'],
	switchOn: () => (room, noise) => [
		measured('temperature', room.temperature + noise(0.05), 2),
		measured('humidity', room.humidity + noise(0.3), 1),
	],
};
