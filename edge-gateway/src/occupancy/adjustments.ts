/** Sets the counts of rooms: zeroings and corrections, each as a reading in the log. */
import {
	type Adjustment,
	type Corrected,
	CrowdVisionError,
	generationInKey,
	idInKey,
	METRICS,
} from '@crowdvision/contracts';
import { type Log, LogFullError, LogWriteError } from '@crowdvision/log';
import type { Clock } from '../clock/clock.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { ReadingEncoder } from '../normalize/reading-encoder.ts';
import type { Occupancy } from './occupancy.ts';

/** A known count that is to be written to the log. */
interface KnownCount {
	buildingId: string;
	roomId: string;
	sensorId: string;
	count: number;
	/** The time of the count, epoch ms; undefined: now. */
	at: number | undefined;
	adjustment: Omit<Adjustment, 'before'>;
	details: { by?: string; name?: string; note?: string; reason?: 'nightly' | 'quiet' };
}

interface RoomId {
	buildingId: string;
	/** A `generationKey`. */
	roomId: string;
}

/** A count that a person has made. */
export interface Correction {
	count: number;
	note: string | undefined;
	account: { id: string; name: string };
}

const RETRY_AFTER_SECONDS = 5;

/**
 * Sets the counts of rooms, each by a reading in the log, so that every consumer of the log gets a `peopleCount` like
 * any other. The transport of such a reading is `http`, as a correction is sent over HTTP; `adjustment` says what it
 * is.
 */
export class Adjustments {
	readonly #log: Log;
	readonly #clock: Pick<Clock, 'now' | 'quality' | 'era'>;
	readonly #ledger: Ledger;
	readonly #occupancy: Occupancy;
	readonly #encoder: ReadingEncoder;
	readonly #gatewayId: string;
	readonly #freshFor: (room: RoomId) => number;

	constructor(parts: {
		log: Log;
		clock: Pick<Clock, 'now' | 'quality' | 'era'>;
		occupancy: Occupancy;
		ledger: Ledger;
		gatewayId: string;
		/** How long the count of a room counts as current, in ms. */
		freshFor: (room: RoomId) => number;
	}) {
		this.#log = parts.log;
		this.#clock = parts.clock;
		this.#ledger = parts.ledger;
		this.#occupancy = parts.occupancy;
		this.#gatewayId = parts.gatewayId;
		this.#freshFor = parts.freshFor;
		this.#encoder = new ReadingEncoder(parts.log.id, parts.gatewayId);
	}

	/**
	 * Sets a room to empty as of `at`; `due` is the scheduled time of a nightly reset. Both in epoch ms. Resolves when it
	 * is on disk.
	 * @throws CrowdVisionError `log_full`, `unavailable`
	 */
	zero(
		room: RoomId,
		{ reason, at, due }: { reason: 'nightly' | 'quiet'; at: number; due: number | undefined },
	): Promise<Corrected> {
		return this.#set({
			...room,
			sensorId: `zeroing:${this.#gatewayId}`,
			count: 0,
			at,
			adjustment: { kind: 'zeroing', reason, ...(due !== undefined && { due }) },
			details: { reason },
		});
	}

	/**
	 * Sets a room to the count that a person has made. Resolves when it is on disk.
	 * @throws CrowdVisionError `not_found` if no door of the room has sent; `log_full`, `unavailable`
	 */
	correct(room: RoomId, { count, note, account }: Correction): Promise<Corrected> {
		if (this.#occupancy.count(room.buildingId, room.roomId) === undefined) {
			throw new CrowdVisionError(
				'not_found',
				`This gateway counts no door of the room "${idInKey(room.roomId)}". ` +
					'If a camera reports the number of people, its next reading would undo a correction.',
			);
		}
		return this.#set({
			...room,
			sensorId: `operator:${account.id.replace(/[^A-Za-z0-9._:-]/g, '-')}`.slice(0, 128),
			count,
			at: undefined,
			adjustment: { kind: 'correction' },
			details: { by: account.id, name: account.name, ...(note && { note }) },
		});
	}

	async #set({ buildingId, roomId, sensorId, count, at: asOf, adjustment, details }: KnownCount): Promise<Corrected> {
		const { rooms } = this.#ledger;
		const now = this.#clock.now();
		const at = asOf ?? now;
		const offset = this.#log.nextOffset;
		// Everything from here to the append runs in one turn of the event loop, as in the intake.
		const change = this.#occupancy.apply(
			buildingId,
			roomId,
			{ kind: 'known', why: adjustment.kind, count, at },
			{ offset, receivedAt: now, details },
		);
		const { before, interval } = change;
		const payload = this.#encoder.encode(
			{
				sensorId,
				metric: 'peopleCount',
				value: count,
				unit: METRICS.peopleCount.unit,
				buildingId,
				roomId: idInKey(roomId),
				generation: generationInKey(roomId),
				observedAt: at,
				receivedAt: now,
				transport: 'http',
				timeQuality: this.#clock.quality,
				freshFor: this.#freshFor({ buildingId, roomId }),
				era: this.#clock.era,
				seq: undefined,
				boot: undefined,
				deviceTime: undefined,
				counted: { interval, adjustment: { ...adjustment, before } },
			},
			offset,
		);
		rooms.received++;
		rooms.pending++;
		try {
			const { dropped } = await this.#log.append([{ payload, at: now }]);
			if (dropped) throw new LogFullError('new readings are dropped');
		} catch (error) {
			rooms.deferred++;
			change.undo();
			if (error instanceof LogFullError)
				throw new CrowdVisionError(
					'log_full',
					`The gateway cannot take more for now: ${error.message}`,
					{},
					RETRY_AFTER_SECONDS,
				);
			if (error instanceof LogWriteError)
				throw new CrowdVisionError(
					'unavailable',
					`The gateway's disk refused the write (${error.code})`,
					{},
					RETRY_AFTER_SECONDS,
				);
			throw error;
		} finally {
			rooms.pending--;
		}
		rooms.accepted++;
		change.stored();
		return { id: `${this.#log.id}-${offset}`, at, before, count, interval };
	}
}
