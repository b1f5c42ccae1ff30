import { type Adjustment, type Corrected, CrowdVisionError, METRICS } from '@crowdvision/contracts';
import { type Log, LogFullError, LogWriteError } from '@crowdvision/log';
import type { Clock } from '../clock/clock.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { ReadingEncoder } from '../normalize/reading-encoder.ts';
import type { Occupancy } from './occupancy.ts';

/** A count that is known, on its way to the log. */
interface Known {
	buildingId: string;
	roomId: string;
	sensorId: string;
	count: number;
	/** As of when, epoch ms; undefined is now. */
	at: number | undefined;
	adjustment: Omit<Adjustment, 'before'>;
	told: { by?: string; name?: string; note?: string; reason?: 'nightly' | 'quiet' };
}

interface RoomId {
	buildingId: string;
	roomId: string;
}

/** What a person says of a room. */
export interface Correction {
	count: number;
	note: string | undefined;
	account: { id: string; name: string };
}

const RETRY_AFTER_SECONDS = 5;

/**
 * Sets counts, each as a reading of its own through the log, so that whoever reads the log sees a `peopleCount` like
 * any other. Such a reading says `http`: it comes by no device's way in, and that is how a person reaches the gateway;
 * what it is, `adjustment` says.
 */
export class Adjustments {
	readonly #log: Log;
	readonly #clock: Pick<Clock, 'now' | 'quality' | 'era'>;
	readonly #ledger: Ledger;
	readonly #occupancy: Occupancy;
	readonly #encoder: ReadingEncoder;
	readonly #gatewayId: string;

	constructor(parts: {
		log: Log;
		clock: Pick<Clock, 'now' | 'quality' | 'era'>;
		occupancy: Occupancy;
		ledger: Ledger;
		gatewayId: string;
	}) {
		this.#log = parts.log;
		this.#clock = parts.clock;
		this.#ledger = parts.ledger;
		this.#occupancy = parts.occupancy;
		this.#gatewayId = parts.gatewayId;
		this.#encoder = new ReadingEncoder(parts.log.id, parts.gatewayId);
	}

	/**
	 * The room was empty at `at`. `due`: the time of night it was to be zeroed. @throws CrowdVisionError `log_full`,
	 * `unavailable`
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
			told: { reason },
		});
	}

	/**
	 * Somebody has looked. Resolves when it is on disk.
	 * @throws CrowdVisionError `not_found` where no door of the room was heard; `log_full`, `unavailable`
	 */
	correct(room: RoomId, { count, note, account }: Correction): Promise<Corrected> {
		if (this.#occupancy.count(room.buildingId, room.roomId) === undefined) {
			const why = 'Where a camera says how many people there are, its next reading would undo a correction.';
			throw new CrowdVisionError('not_found', `This gateway counts no door of the room "${room.roomId}". ${why}`);
		}
		return this.#set({
			...room,
			sensorId: `operator:${account.id.replace(/[^A-Za-z0-9._:-]/g, '-')}`.slice(0, 128),
			count,
			at: undefined,
			adjustment: { kind: 'correction' },
			told: { by: account.id, name: account.name, ...(note && { note }) },
		});
	}

	async #set({ buildingId, roomId, sensorId, count, at: asOf, adjustment, told }: Known): Promise<Corrected> {
		const { rooms } = this.#ledger;
		const now = this.#clock.now();
		const at = asOf ?? now;
		const offset = this.#log.nextOffset;
		// From here to the append in one turn of the event loop, as the intake does it.
		const change = this.#occupancy.apply(
			buildingId,
			roomId,
			{ kind: 'known', why: adjustment.kind, count, at },
			{ offset, receivedAt: now, told },
		);
		const { before, interval } = change;
		const payload = this.#encoder.encode(
			{
				sensorId,
				metric: 'peopleCount',
				value: count,
				unit: METRICS.peopleCount.unit,
				buildingId,
				roomId,
				observedAt: at,
				receivedAt: now,
				transport: 'http',
				timeQuality: this.#clock.quality,
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
			if (dropped) throw new LogFullError('what is new is dropped');
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
