import type { IncomingReading } from '@crowdvision/contracts';

/**
 * A reading as these devices send it: always numbered, so that a redelivery is recognized. `observedAt`: epoch ms, or
 * absent if the device has no clock.
 */
export interface DeviceReading extends IncomingReading {
	unit: string;
	buildingId: string;
	roomId: string;
	observedAt?: number;
	seq: number;
	boot: string;
}
