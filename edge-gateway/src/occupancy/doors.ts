import type { Problem } from '@crowdvision/contracts';
import { filled } from '../options.ts';
import { DoorConfig, OccupancyConfig } from './occupancy-config.ts';
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

/**
 * The doors, by sensor. One that is not configured feeds the room its readings name with what crossed since its last
 * message.
 */
export class Doors {
	#doors: ReadonlyMap<string, Door> = new Map();
	#usual: DoorLimits;

	constructor(config: OccupancyConfig = {}) {
		this.#usual = usualLimits(config);
		this.update(config);
	}

	/** What is known of a door stays as it is; what it says from now on is taken by the new rules. */
	update(config: OccupancyConfig): void {
		this.#usual = usualLimits(config);
		const { doors = [] } = config;
		this.#doors = new Map(
			doors.map((door) => {
				const { perMinute, swapped, counter } = filled(DoorConfig, door);
				const limits = {
					bias: door.bias ?? this.#usual.bias,
					missRate: door.missRate ?? this.#usual.missRate,
					perMinute,
					wrapAt: door.wrapAt,
				};
				return [door.sensorId, { ...limits, cumulative: counter === 'cumulative', swapped, between: door.between }];
			}),
		);
	}

	of(sensorId: string): Door | undefined {
		return this.#doors.get(sensorId);
	}

	readonly limits = (sensorId: string): DoorLimits => this.#doors.get(sensorId) ?? this.#usual;
}

/** The limits of a door that has no entry of its own. */
function usualLimits(config: OccupancyConfig): DoorLimits {
	const { bias, missRate } = filled(OccupancyConfig, config);
	return { bias, missRate, perMinute: DoorConfig.properties.perMinute.default, wrapAt: undefined };
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
