import type { Link } from '../links/link.ts';
import type { DeviceReading } from '../reading.ts';

/** A small gateway at the other end of a link: a real server of the link's transport. */
export interface Peer {
	/** Every reading it acknowledged, in the order of arrival, repetitions included. */
	readonly accepted: DeviceReading[];
	/** Creates a device's link to it. */
	link(onFrame?: (frame: Uint8Array) => Uint8Array): Link;
	/** Stops at once; `start` brings it back at the same address. */
	stop(): Promise<void>;
	start(): Promise<void>;
	/** Ends it for good. */
	close(): Promise<void>;
}

export const CREDENTIALS = { deviceId: 'sim-1', token: 'a-token' };

/** The reading of a sensor with number `seq`, from which all its fields follow. */
export function readingOf(seq: number, sensorId = 'hall-co2'): DeviceReading {
	return {
		sensorId,
		metric: 'co2',
		value: 400 + (seq % 100),
		unit: 'ppm',
		buildingId: 'b1',
		roomId: 'hall',
		observedAt: 1_764_000_000_000 + seq * 1000,
		seq,
		boot: 'b007',
	};
}
