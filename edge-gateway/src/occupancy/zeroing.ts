import type { Logger } from '@crowdvision/service-kit';
import type { Clock } from '../clock/clock.ts';
import { milliseconds } from '../measures.ts';
import { filled } from '../options.ts';
import type { Adjustments } from './adjustments.ts';
import { lastAtLocalTime } from './local-time.ts';
import type { Occupancy } from './occupancy.ts';
import { OccupancyConfig } from './occupancy-config.ts';
import type { RoomCount } from './room-count.ts';

/** When a room is taken to be empty; undefined is never. */
interface Rule {
	/** Local time of day. */
	nightlyReset: string | undefined;
	quietForMs: number | undefined;
}

export interface ZeroingParts {
	config: OccupancyConfig;
	occupancy: Occupancy;
	adjustments: Adjustments;
	/** IANA name; undefined where nobody told. */
	zoneOf(buildingId: string): string | undefined;
	clock: Pick<Clock, 'now' | 'quality'>;
	logger: Logger;
}

/** A room that is to be zeroed, and as of when. */
export interface Due {
	buildingId: string;
	roomId: string;
	reason: 'nightly' | 'quiet';
	/** Epoch ms. */
	at: number;
	/** The time of night it was to be done. */
	due?: number;
}

const MINUTE_MS = 60_000;
/** Who crosses while the timer is on its way is taken to be still leaving. */
const GRACE_MS = MINUTE_MS;

/**
 * Zeroes rooms: every night at a local time of their building, and where nobody crossed for long and nobody need be
 * there. Once a night, however often the gateway is started, as whether it was done is in the count itself. A gateway
 * that was away at the time makes up for it, unless somebody has crossed since.
 */
export class Zeroing {
	readonly #parts: ZeroingParts;
	#rules: Rules;
	/** Nobody was listening before, or nobody knew the time. */
	#since: number;
	/** While nobody knows the time: when somebody crossed last, by room, as it stood before. */
	#crossedBefore: Map<string, number> | undefined;
	/** Rooms in which somebody crossed at a time that is not known, before this one. */
	readonly #doubtful = new Map<string, number>();
	#timer: NodeJS.Timeout | undefined;
	#looking: Promise<void> = Promise.resolve();

	constructor(parts: ZeroingParts) {
		this.#parts = parts;
		this.#rules = new Rules(parts.config);
		this.#since = parts.clock.now();
	}

	/** Goes by other rules from the next full minute on. */
	update(config: OccupancyConfig): void {
		this.#rules = new Rules(config);
	}

	/** Makes up for what was missed, then looks at every full minute. Resolves when the first is done. */
	start(): Promise<void> {
		const look = () => {
			clearTimeout(this.#timer);
			this.#looking = this.#look();
			this.#timer = setTimeout(look, MINUTE_MS - (this.#parts.clock.now() % MINUTE_MS)).unref();
		};
		look();
		return this.#looking;
	}

	async stop(): Promise<void> {
		clearTimeout(this.#timer);
		await this.#looking;
	}

	/** The rooms to be zeroed now; none while nobody knows what time it is. */
	due(): Due[] {
		const { occupancy, clock } = this.#parts;
		const now = clock.now();
		this.#mindTheClock(now);
		if (!this.#rules.any || clock.quality === 'unsynced') return [];
		const nights = new Map<string, number>();
		return occupancy.rooms().flatMap(({ buildingId, roomId }): Due[] => {
			const rule = this.#rules.of(buildingId, roomId);
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
	 * When the time becomes known it leaps, and with it what is long ago: who crossed a minute before seems to have
	 * crossed months before.
	 */
	#mindTheClock(now: number): void {
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

	async #look(): Promise<void> {
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

/** What holds for a room: what is said of it, else of its building, else of all. */
class Rules {
	readonly zone: string;
	readonly any: boolean;
	readonly #usual: Rule;
	readonly #special = new Map<string, Rule>();

	constructor(config: OccupancyConfig) {
		const { nightlyReset, quietFor, timeZone, rooms = [] } = filled(OccupancyConfig, config);
		this.zone = timeZone;
		this.#usual = ruleOf({ nightlyReset, quietFor }, { nightlyReset: undefined, quietForMs: undefined });
		for (const one of rooms) if (one.roomId === undefined) this.#special.set(one.buildingId, ruleOf(one, this.#usual));
		for (const one of rooms)
			if (one.roomId !== undefined)
				this.#special.set(`${one.buildingId}/${one.roomId}`, ruleOf(one, this.of(one.buildingId, '')));
		this.any = [this.#usual, ...this.#special.values()].some(
			({ nightlyReset: time, quietForMs }) => time !== undefined || quietForMs !== undefined,
		);
	}

	of(buildingId: string, roomId: string): Rule {
		return this.#special.get(`${buildingId}/${roomId}`) ?? this.#special.get(buildingId) ?? this.#usual;
	}
}

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
