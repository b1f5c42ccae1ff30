import { measured, type SensorKind } from './kind.ts';

/** A camera that counts heads and sends only the number. */
export const camera: SensorKind = {
	metrics: ['peopleCount'],
	switchOn: () => (room) => [measured('peopleCount', room.people, 0)],
};
