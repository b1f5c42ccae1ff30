/** Sets rooms to empty at night, or when they have been quiet for long. */
import { idInKey, lastAtLocalTime } from '@crowdvision/contracts';
import type { Logger } from '@crowdvision/service-kit';
import type { Clock } from '../clock/clock.ts';
import { milliseconds } from '../measures.ts';
import { filled } from '../options.ts';
import type { Adjustments } from './adjustments.ts';
import type { Occupancy } from './occupancy.ts';
import { OccupancyConfig } from './occupancy-config.ts';
import type { RoomCount } from './room-count.ts';

/** When a room counts as empty; undefined: never. */
interface Rule {
	/** Local time of day. */
	nightlyReset: string | undefined;
	quietForMs: number | undefined;
}

/** What `Zeroing` needs. */
export interface ZeroingParts {
	config: OccupancyConfig;
	occupancy: Occupancy;
	adjustments: Adjustments;
	/** The building's time zone as an IANA name; undefined if it has none. */
	zoneOf(buildingId: string): string | undefined;
	clock: Pick<Clock, 'now' | 'quality'>;
	logger: Logger;
}

/** A room that is to be zeroed. */
export interface DueZeroing {
	buildingId: string;
	/** A `generationKey`. */
	roomId: string;
	reason: 'nightly' | 'quiet';
	/** The time as of which it is empty, epoch ms. */
	at: number;
	/** The scheduled time of a nightly reset, epoch ms. */
	due?: number;
}

const MINUTE_MS = 60_000;
/** Somebody who crosses a door within this time after the scheduled time is assumed to be leaving. */
const GRACE_MS = MINUTE_MS;

/**
 * Zeroes rooms: every night at a local time of their building, and when nobody has crossed a door for long and the room
 * may be empty. A room is zeroed once a night, also across restarts, as its count says when it was last zeroed. A
 * gateway that was down at the time zeroes the room later, unless somebody has crossed a door since.
 */
export class Zeroing {
	readonly #parts: ZeroingParts;
	#rules: Rules;
	/** Since when silence counts as quiet, epoch ms: before, the gateway was down or did not know the time. */
	#since: number;
	/** While the time is unknown: the last crossing of each room as it was before. */
	#crossedBefore: Map<string, number> | undefined;
	/** Rooms with a crossing at an unknown time, with the time when the clock became known. */
	readonly #doubtful = new Map<string, number>();
	#timer: NodeJS.Timeout | undefined;
	#running: Promise<void> = Promise.resolve();

	constructor(parts: ZeroingParts) {
		this.#parts = parts;
		this.#rules = new Rules(parts.config);
		this.#since = parts.clock.now();
	}

	/** Replaces the rules from the next full minute on. */
	update(config: OccupancyConfig): void {
		this.#rules = new Rules(config);
	}

	/** Zeroes what is due, then checks at every full minute. Resolves when the first check is done. */
	start(): Promise<void> {
		const check = () => {
			clearTimeout(this.#timer);
			this.#running = this.#zeroDueRooms();
			this.#timer = setTimeout(check, MINUTE_MS - (this.#parts.clock.now() % MINUTE_MS)).unref();
		};
		check();
		return this.#running;
	}

	async stop(): Promise<void> {
		clearTimeout(this.#timer);
		await this.#running;
	}

	/** The rooms to be zeroed now; none while the time is unknown. */
	due(): DueZeroing[] {
		const { occupancy, clock } = this.#parts;
		const now = clock.now();
		this.#watchClock(now);
		if (this.#rules.isEmpty || clock.quality === 'unsynced') return [];
		const nights = new Map<string, number>();
		return occupancy.rooms().flatMap(({ buildingId, roomId }): DueZeroing[] => {
			const rule = this.#rules.of(buildingId, idInKey(roomId));
			const room = occupancy.room(buildingId, roomId);
			if (!room) return [];
			const night =
				rule.nightlyReset === undefined ? undefined : this.#night(buildingId, rule.nightlyReset, now, nights);
			const isOpen =
				night !== undefined && night > Math.max(room.known.at, this.#doubtful.get(`${buildingId}/${roomId}`) ?? 0);
			if (isOpen && (room.crossedAt < night || now - night < GRACE_MS)) {
				return [{ buildingId, roomId, reason: 'nightly', at: room.crossedAt < night ? night : now, due: night }];
			}
			return this.#isQuiet(room, rule, now) ? [{ buildingId, roomId, reason: 'quiet', at: now }] : [];
		});
	}

	/**
	 * Handles the jump of the clock when the time becomes known, after which a crossing a minute ago seems to be months
	 * ago: rooms with a crossing during the unknown time are remembered.
	 */
	#watchClock(now: number): void {
		const { occupancy, clock } = this.#parts;
		const crossed = () =>
			new Map(
				occupancy
					.rooms()
					.map(({ buildingId, roomId }) => [
						`${buildingId}/${roomId}`,
						occupancy.room(buildingId, roomId)?.crossedAt ?? 0,
					]),
			);
		if (clock.quality === 'unsynced') this.#crossedBefore ??= crossed();
		else if (this.#crossedBefore) {
			for (const [room, at] of crossed())
				if (at !== (this.#crossedBefore.get(room) ?? 0)) this.#doubtful.set(room, now);
			this.#crossedBefore = undefined;
			this.#since = now;
		}
	}

	async #zeroDueRooms(): Promise<void> {
		const { adjustments, logger } = this.#parts;
		for (const { buildingId, roomId, reason, at, due } of this.due()) {
			try {
				await adjustments.zero({ buildingId, roomId }, { reason, at, due });
			} catch (error) {
				logger.warn(
					{ buildingId, roomId, err: (error as Error).message },
					'a room could not be zeroed; it is tried again in a minute',
				);
			}
		}
	}

	#night(buildingId: string, time: string, now: number, known: Map<string, number>): number {
		const zone = this.#parts.zoneOf(buildingId) ?? this.#rules.zone;
		const key = `${zone} ${time}`;
		const night = known.get(key) ?? lastAtLocalTime(zone, time, now);
		known.set(key, night);
		return night;
	}

	#isQuiet({ known, crossedAt, interval }: Readonly<RoomCount>, { quietForMs }: Rule, now: number): boolean {
		if (quietForMs === undefined || interval.low > 0 || interval.high === 0) return false;
		return now - Math.max(known.at, crossedAt, this.#since) >= quietForMs;
	}
}

/** The rules by room: of the room itself, else of its building, else the general ones. */
class Rules {
	readonly zone: string;
	/** Whether no room is ever zeroed. */
	readonly isEmpty: boolean;
	readonly #general: Rule;
	readonly #exceptions = new Map<string, Rule>();

	constructor(config: OccupancyConfig) {
		const { nightlyReset, quietFor, timeZone, rooms = [] } = filled(OccupancyConfig, config);
		this.zone = timeZone;
		this.#general = ruleOf({ nightlyReset, quietFor }, { nightlyReset: undefined, quietForMs: undefined });
		for (const one of rooms)
			if (one.roomId === undefined) this.#exceptions.set(one.buildingId, ruleOf(one, this.#general));
		for (const one of rooms)
			if (one.roomId !== undefined)
				this.#exceptions.set(`${one.buildingId}/${one.roomId}`, ruleOf(one, this.of(one.buildingId, '')));
		this.isEmpty = [this.#general, ...this.#exceptions.values()].every(
			({ nightlyReset: time, quietForMs }) => time === undefined && quietForMs === undefined,
		);
	}

	of(buildingId: string, roomId: string): Rule {
		return this.#exceptions.get(`${buildingId}/${roomId}`) ?? this.#exceptions.get(buildingId) ?? this.#general;
	}
}

/** A rule, with `otherwise` for what it leaves out. */
function ruleOf(
	{ nightlyReset, quietFor }: { nightlyReset?: string | undefined; quietFor?: string | undefined },
	otherwise: Rule,
): Rule {
	return {
		nightlyReset:
			nightlyReset === undefined ? otherwise.nightlyReset : nightlyReset === 'off' ? undefined : nightlyReset,
		quietForMs: quietFor === undefined ? otherwise.quietForMs : quietFor === 'off' ? undefined : milliseconds(quietFor),
	};
}
