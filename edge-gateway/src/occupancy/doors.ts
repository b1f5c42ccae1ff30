/** The configured doors, and which rooms a crossing of a door changes. */
import type { Problem } from '@crowdvision/contracts';
import { filled } from '../options.ts';
import { DoorConfig, layered, OccupancyConfig } from './occupancy-config.ts';
import type { Direction, DoorLimits } from './room-count.ts';

/** A configured door. */
export interface Door extends DoorLimits {
	/** Its counters count since it was switched on. */
	cumulative: boolean;
	/** It is mounted the wrong way round: its ins are outs. */
	swapped: boolean;
	/** The two rooms it connects; undefined: it leads into the room that its readings name. */
	between: { from: string; to: string } | undefined;
}

/** The effect of a crossing on one room. */
export interface RoomEffect {
	roomId: string;
	direction: Direction;
}

/**
 * The configured doors by sensor id, and those of one building, as several tenants may have a sensor of the same id. A
 * door that is not configured counts crossings since its last message, into the room that its readings name.
 */
export class Doors {
	/** By sensor id, or by building and sensor id. */
	#doors: ReadonlyMap<string, Door> = new Map();
	#usual: DoorLimits;

	constructor(config: OccupancyConfig = {}) {
		this.#usual = usualLimits(config);
		this.update(config);
	}

	/** Replaces the configuration. It applies to readings from now on; the state of rooms and doors stays. */
	update(config: OccupancyConfig): void {
		this.#usual = usualLimits(config);
		this.#doors = new Map(
			layered(config.doors ?? []).map((door) => {
				const { perMinute, swapped, counter } = filled(DoorConfig, door);
				const limits = {
					bias: door.bias ?? this.#usual.bias,
					missRate: door.missRate ?? this.#usual.missRate,
					perMinute,
					wrapAt: door.wrapAt,
				};
				const key = keyOf(door.sensorId, door.buildingId);
				return [key, { ...limits, cumulative: counter === 'cumulative', swapped, between: door.between }];
			}),
		);
	}

	/** The configured door, or undefined. @param buildingId undefined where nobody knows it: entries for all buildings */
	of(sensorId: string, buildingId: string | undefined): Door | undefined {
		if (this.#doors.size === 0) return undefined;
		return this.#doors.get(keyOf(sensorId, buildingId)) ?? this.#doors.get(sensorId);
	}

	/** The limits of the doors of a building, configured or not, by sensor id; always those configured last. */
	limitsIn(buildingId: string): (sensorId: string) => DoorLimits {
		return (sensorId) => this.of(sensorId, buildingId) ?? this.#usual;
	}
}

/** Neither kind of id holds a slash. */
function keyOf(sensorId: string, buildingId: string | undefined): string {
	return buildingId === undefined ? sensorId : `${buildingId}/${sensorId}`;
}

/** The limits of a door that has no entry of its own. */
function usualLimits(config: OccupancyConfig): DoorLimits {
	const { bias, missRate } = filled(OccupancyConfig, config);
	return { bias, missRate, perMinute: DoorConfig.properties.perMinute.default, wrapAt: undefined };
}

/** The metrics that a door counter sends. */
export type DoorMetric = 'peopleIn' | 'peopleOut';

/** The total in a reading of a cumulative counter, or the problem with it. */
export function totalOf({ wrapAt }: Door, value: number): number | Problem {
	const below = wrapAt ?? Number.MAX_SAFE_INTEGER;
	if (Number.isInteger(value) && value >= 0 && value < below) return value;
	return { path: '/value', message: `must be a whole number from 0 to ${below - 1} for a cumulative counter` };
}

/** The effects of a crossing on rooms: the room that is entered comes first. */
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
