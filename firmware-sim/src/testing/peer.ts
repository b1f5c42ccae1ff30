import type { Link } from '../links/link.ts';
import type { DeviceReading } from '../reading.ts';

/** A small real gateway at the other end of a link. */
export interface Peer {
	/** Every reading it has acknowledged, or tried to, in the order of arrival, repetitions included. */
	readonly taken: DeviceReading[];
	/** A device's link to it. */
	link(onFrame?: (frame: Uint8Array) => Uint8Array): Link;
	/** Goes away at once; `arrive` brings it back at the same address. */
	leave(): Promise<void>;
	arrive(): Promise<void>;
	/** For good. */
	close(): Promise<void>;
}

export const CREDENTIALS = { deviceId: 'sim-1', token: 'a-token' };

/** The `seq`-th reading of a sensor; all of it follows from the number. */
export function aReading(seq: number, sensorId = 'hall-co2'): DeviceReading {
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
