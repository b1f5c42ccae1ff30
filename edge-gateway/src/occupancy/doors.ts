import type { Problem } from '@crowdvision/contracts';
import type { OccupancyConfig } from './occupancy-config.ts';
import type { Direction, DoorLimits } from './room-count.ts';

/** A door that the configuration tells something of. */
export interface Door extends DoorLimits {
	/** Its counters count from when it was switched on. */
	cumulative: boolean;
	/** Mounted the wrong way round: its ins are outs. */
	swapped: boolean;
	/** Leads from one room into the other; undefined: into the room its readings name. */
	between: { from: string; to: string } | undefined;
}

/** A room that a crossing changes. */
export interface RoomEffect {
	roomId: string;
	direction: Direction;
}

/** An infrared counter in daily use is off by less than this. */
const DEFAULT_BIAS = 0.1;
const DEFAULT_MISS_RATE = 0.05;
/** Two metres of open door let about this many through in a minute. */
const DEFAULT_PER_MINUTE = 200;

/**
 * The doors, by sensor. One that is not configured feeds the room its readings name with what crossed since its last
 * message.
 */
export class Doors {
	#doors: ReadonlyMap<string, Door> = new Map();
	#usual: DoorLimits = {
		bias: DEFAULT_BIAS,
		missRate: DEFAULT_MISS_RATE,
		perMinute: DEFAULT_PER_MINUTE,
		wrapAt: undefined,
	};

	constructor(config: OccupancyConfig = {}) {
		this.update(config);
	}

	/** What is known of a door stays as it is; what it says from now on is taken by the new rules. */
	update({ bias = DEFAULT_BIAS, missRate = DEFAULT_MISS_RATE, doors = [] }: OccupancyConfig): void {
		this.#usual = { bias, missRate, perMinute: DEFAULT_PER_MINUTE, wrapAt: undefined };
		this.#doors = new Map(
			doors.map((door) => [
				door.sensorId,
				{
					bias: door.bias ?? bias,
					missRate: door.missRate ?? missRate,
					perMinute: door.perMinute ?? DEFAULT_PER_MINUTE,
					wrapAt: door.wrapAt,
					cumulative: door.counter === 'cumulative',
					swapped: door.swapped ?? false,
					between: door.between,
				},
			]),
		);
	}

	of(sensorId: string): Door | undefined {
		return this.#doors.get(sensorId);
	}

	readonly limits = (sensorId: string): DoorLimits => this.#doors.get(sensorId) ?? this.#usual;
}

/** The metrics a door counter sends. */
export type DoorMetric = 'peopleIn' | 'peopleOut';

/** What a counter that counts from its start says, or what is wrong with it. */
export function totalOf({ wrapAt }: Door, value: number): number | Problem {
	const below = wrapAt ?? Number.MAX_SAFE_INTEGER;
	if (Number.isInteger(value) && value >= 0 && value < below) return value;
	return { path: '/value', message: `must be a whole number from 0 to ${below - 1}, as this counter is cumulative` };
}

/** The rooms that a crossing changes, and how: the room it leads into first. */
export function roomEffectsOf(metric: DoorMetric, roomId: string, door: Door | undefined): RoomEffect[] {
	const into = (metric === 'peopleIn') !== (door?.swapped ?? false);
	if (!door?.between) return [{ roomId, direction: into ? 'in' : 'out' }];
	const { from, to } = door.between;
	const [gains, loses] = into ? [to, from] : [from, to];
	return [
		{ roomId: gains, direction: 'in' },
		{ roomId: loses, direction: 'out' },
	];
}
