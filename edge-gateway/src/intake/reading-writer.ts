/** Writes checked readings to the log: dedup, counting people, encoding, append. */
import type { AppendRecord, DedupKey, Log } from '@crowdvision/log';
import type { Clock } from '../clock/clock.ts';
import type { Cadences } from '../devices/cadences.ts';
import type { Completion, Frame } from '../frame.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { Tally } from '../ledger/tally.ts';
import { type EncodableReading, ReadingEncoder } from '../normalize/reading-encoder.ts';
import type { RoomEffect } from '../occupancy/doors.ts';
import type { Applied, Occupancy } from '../occupancy/occupancy.ts';
import type { Registry } from '../registry.ts';
import { completion, NOT_REPORTED, type OnDeferred } from './completion.ts';
import type { FrameTrace } from './frame-trace.ts';
import type { Checked } from './reading-validator.ts';
import { countPeople, effectsOf, type RoomChange } from './room-changes.ts';

/** A frame on its way: when and from which source it came, and the callback that ends it. */
export interface Arrival {
	frame: Frame;
	/** Epoch ms. */
	receivedAt: number;
	/** Of the frame's source. */
	tally: Tally;
	onDurable: Completion;
}

/** A record as it was handed to the log. */
export interface WrittenRecord {
	offset: number;
	/** Epoch ms. */
	receivedAt: number;
	json: string;
}

/**
 * Called with each reading of a frame and its record; not for doors, and not where readings of the frame are
 * duplicates.
 * `index`: the how many-th of the frame's readings, of which there are `count`.
 */
export type OnWritten = (frame: Frame, reading: Checked, record: WrittenRecord, index: number, count: number) => void;

/** What the intake needs of the log. */
export type IntakeLog = Pick<Log, 'id' | 'nextOffset' | 'lookUp' | 'durable' | 'append' | 'enqueue'>;

export interface ReadingWriterParts {
	log: IntakeLog;
	clock: Pick<Clock, 'era'>;
	occupancy: Occupancy;
	/** How long the values of each sensor count as current. */
	cadences: Cadences;
	ledger: Ledger;
	follow: FrameTrace;
	onDeferred: OnDeferred;
	onWritten?: OnWritten | undefined;
	gatewayId: string;
	registry: Pick<Registry, 'generationOf'>;
}

const NO_CHANGES: Applied[] = [];

/**
 * Checked readings on their way to the log:
 *
 *   dedup ─▶ count people ─▶ encode ─▶ append ─▶ completion: tally, room counts, onDurable
 *
 * Everything up to the append happens in one turn of the event loop: no other frame comes between a look into the dedup
 * window or a change of a room's count, and the record that follows from it.
 */
export class ReadingWriter {
	readonly #log: IntakeLog;
	readonly #clock: Pick<Clock, 'era'>;
	readonly #occupancy: Occupancy;
	readonly #cadences: Cadences;
	readonly #ledger: Ledger;
	readonly #follow: FrameTrace;
	readonly #onDeferred: OnDeferred;
	readonly #onWritten: OnWritten | undefined;
	readonly #encoder: ReadingEncoder;
	readonly #registry: ReadingWriterParts['registry'];

	constructor(parts: ReadingWriterParts) {
		this.#log = parts.log;
		this.#clock = parts.clock;
		this.#occupancy = parts.occupancy;
		this.#cadences = parts.cadences;
		this.#ledger = parts.ledger;
		this.#follow = parts.follow;
		this.#onDeferred = parts.onDeferred;
		this.#registry = parts.registry;
		this.#onWritten = parts.onWritten;
		this.#encoder = new ReadingEncoder(parts.log.id, parts.gatewayId);
	}

	/** Writes the only reading of a frame. Most frames hold one, so this path avoids lists and promises. */
	writeOne(item: Checked, { frame, receivedAt, tally, onDurable }: Arrival): void {
		const [effect, other] = effectsOf(item);
		if (other) return void this.writeAll([item], { frame, receivedAt, tally, onDurable });
		const { key } = item;
		const verdict = key ? this.#log.lookUp(key) : 'new';
		if (verdict === 'duplicate') {
			const counts = { taken: 0, duplicates: 1, restarts: 0 };
			const complete = completion(tally, counts, NO_CHANGES, onDurable, this.#onDeferred);
			this.#follow.duplicate(frame, item, receivedAt);
			// The original may still be on its way to the disk.
			this.#log.durable().then(() => complete(), complete);
			return;
		}
		const offset = this.#log.nextOffset;
		const change = effect && this.#count(item, effect, offset, receivedAt);
		const payload = this.#encode(item, effect, change, offset, frame, receivedAt);
		const counts = { taken: 1, duplicates: 0, restarts: verdict === 'restart' ? 1 : 0 };
		const followed = this.#follow.watching
			? this.#follow.followed(frame, item, receivedAt, offset, onDurable)
			: onDurable;
		const changes = change ? [change.applied] : NO_CHANGES;
		this.#log.enqueue(payload, receivedAt, key, completion(tally, counts, changes, followed, this.#onDeferred));
		this.#onWritten?.(frame, item, { offset, receivedAt, json: payload }, 0, 1);
	}

	/** Writes the readings of a batch: all of them or none. */
	writeAll(items: readonly Checked[], { frame, receivedAt, tally, onDurable }: Arrival): void {
		const records: AppendRecord[] = [];
		const changes: Applied[] = [];
		const inThisBatch = new Set<string>();
		let followed = onDurable;
		let offset = this.#log.nextOffset;
		const counts = { taken: 0, duplicates: 0, restarts: 0 };
		for (const item of items) {
			const before = records.length;
			for (const effect of effectsOf(item)) {
				const key = keyOf(item, effect);
				if (key) {
					const verdict = this.#log.lookUp(key);
					const text = `${key.source} ${key.boot} ${key.seq} ${key.hash}`;
					if (verdict === 'duplicate' || inThisBatch.has(text)) continue;
					inThisBatch.add(text);
					if (verdict === 'restart' && records.length === before) counts.restarts++;
				}
				if (this.#follow.watching) followed = this.#follow.followed(frame, item, receivedAt, offset, followed);
				const change = effect && this.#count(item, effect, offset, receivedAt);
				if (change) changes.push(change.applied);
				const payload = this.#encode(item, effect, change, offset++, frame, receivedAt);
				records.push({ payload, at: receivedAt, key });
			}
			if (records.length > before) counts.taken++;
			else {
				counts.duplicates++;
				this.#follow.duplicate(frame, item, receivedAt);
			}
		}
		const ofSource = completion(tally, counts, changes, followed, this.#onDeferred);
		const first = this.#log.nextOffset;
		this.#append(records, counts, ofSource);
		if (!this.#onWritten || records.length !== items.length || changes.length > 0) return;
		for (const [i, item] of items.entries())
			this.#onWritten(
				frame,
				item,
				{ offset: first + i, receivedAt, json: records[i]!.payload as string },
				i,
				items.length,
			);
	}

	/**
	 * A door between two rooms makes two records of one reading: the source's tally has the first, `rooms` the second.
	 */
	#append(
		records: AppendRecord[],
		{ taken, duplicates }: { taken: number; duplicates: number },
		ofSource: ReturnType<typeof completion>,
	): void {
		const { rooms } = this.#ledger;
		const second = { taken: records.length - taken, duplicates: 0, restarts: 0 };
		const ofRooms = completion(rooms, second, NO_CHANGES, () => undefined, NOT_REPORTED);
		rooms.received += second.taken;
		const complete = (error?: Error, dropped?: boolean) => {
			ofRooms(error, dropped);
			ofSource(error, dropped);
		};
		const appended = records.length > 0 ? this.#log.append(records) : undefined;
		// A duplicate's original may still be on its way to the disk.
		const durable = duplicates > 0 ? this.#log.durable().then(() => appended) : appended!;
		durable.then((result) => complete(undefined, result?.dropped), complete);
	}

	#count(item: Checked, effect: RoomEffect, offset: number, receivedAt: number): RoomChange {
		const generation = this.#registry.generationOf(item.buildingId, effect.roomId);
		return countPeople(this.#occupancy, item, effect, generation, { offset, receivedAt });
	}

	/** The record of a reading, as JSON. */
	#encode(
		item: Checked,
		effect: RoomEffect | undefined,
		change: RoomChange | undefined,
		offset: number,
		{ transport }: Frame,
		receivedAt: number,
	): string {
		const reading: EncodableReading = {
			sensorId: item.incoming.sensorId,
			sensorName: item.incoming.sensorName,
			metric: change ? 'peopleCount' : item.incoming.metric,
			value: change ? change.count : item.value,
			unit: item.definition.unit,
			buildingId: item.buildingId,
			roomId: effect ? effect.roomId : item.roomId,
			observedAt: item.observedAt,
			receivedAt,
			transport,
			timeQuality: item.timeQuality,
			clipped: item.clipped,
			freshFor: this.#freshFor(item, effect, receivedAt),
			seq: item.incoming.seq,
			boot: item.incoming.boot,
			uptime: item.incoming.uptime,
			deviceTime: item.deviceTime,
			counted: change?.fields,
			era: this.#clock.era,
			bridge: item.bridge,
			generation: effect ? this.#registry.generationOf(item.buildingId, effect.roomId) : item.generation,
			senderDomain: item.senderDomain,
		};
		return this.#encoder.encode(reading, offset);
	}

	#freshFor(
		{ incoming, seriesId, buildingId, observedAt }: Checked,
		effect: RoomEffect | undefined,
		receivedAt: number,
	): number {
		const at = Math.min(observedAt, receivedAt);
		return effect
			? this.#cadences.heardDoor(seriesId, 'peopleCount', at, buildingId, effect.roomId)
			: this.#cadences.heard(seriesId, incoming.metric, at);
	}
}

/**
 * The dedup key of a record. A door between two rooms makes a record for each, under a key of its own: where a crash
 * cut one off, it is written when the reading comes again.
 */
function keyOf({ key, door }: Checked, effect: RoomEffect | undefined): DedupKey | undefined {
	return effect && key && door?.between ? { ...key, source: `${key.source} ${effect.direction}` } : key;
}
