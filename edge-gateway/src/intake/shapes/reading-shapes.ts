/** Takes messages that differ from an earlier one only in their numbers, from bytes to bytes. */
import { isDoorMetric, type Transport } from '@crowdvision/contracts';
import type { Log } from '@crowdvision/log';
import type { Clock } from '../../clock/clock.ts';
import type { Availability } from '../../devices/availability.ts';
import type { Cadences } from '../../devices/cadences.ts';
import type { Completion, Frame } from '../../frame.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import type { Sender } from '../../normalize/identify.ts';
import type { Recorder } from '../../trace/recorder.ts';
import type { Trace } from '../../trace/trace.ts';
import { completion, type OnDeferred } from '../completion.ts';
import type { IntakeMetrics } from '../reading-validator.ts';
import type { OnWritten } from '../reading-writer.ts';
import { itemsOf, type Layout } from './items.ts';
import { type LearntReading, type Shape, shapeOf } from './shape.ts';

export interface ReadingShapesParts {
	log: Log;
	clock: Pick<Clock, 'now' | 'quality' | 'era'>;
	cadences: Pick<Cadences, 'heard' | 'keeps'>;
	availability: Pick<Availability, 'received'>;
	recorder: Pick<Recorder, 'record'>;
	ledger: Ledger;
	trace: Pick<Trace, 'watching' | 'deferred'>;
	metrics: IntakeMetrics;
	/** Whether frames of this sender wait for a decoder: what comes after them must not overtake them. */
	isWaiting(senderId: string): boolean;
	/** Rises with every change of what readings are checked by: who may send what, for which place, in which unit. */
	revision(): number;
}

/** What is known of the messages that one sender sends in one way, such as on one topic. */
export interface Repeating {
	readonly transport: Transport;
	/** Topic, path or port. */
	readonly source: string;
	readonly sender: Sender;
	/** How its messages hold their readings; `message`: each is one reading, or has no shape. */
	readonly layout: Layout | 'message';
	/** Those that were used last come first. Emptied when they no longer hold. */
	readonly shapes: Shape[];
	/** Messages that may still be learnt from; rises with each that a shape fits. */
	lessons: number;
	/** Messages that were not learnt from since the last that was. */
	skipped: number;
}

/** Devices send two or three shapes in turn; a hub of several sensors a few more, and many at once. */
const MAX_SHAPES = { message: 8, one: 8, list: 256, lines: 256 };
/** Readings of one message that are learnt from. */
const MAX_LEARNT = 256;
/** Of all senders, about 4000 shapes. Beyond it, those of whoever got shapes first are forgotten. */
const MAX_ALL_BYTES = 16 * 1024 * 1024;
const MAX_LESSONS = 32;
/** Of messages that never repeat themselves, one in so many is learnt from. */
const RARELY = 64;

/**
 * Takes readings by their shapes. What a shape was derived from must not have changed since: see `revision`. All else
 * that a reading is checked by depends on its numbers, and is done here as the long way does it.
 */
export class ReadingShapes {
	readonly #parts: ReadingShapesParts;
	readonly #onDeferred: OnDeferred;
	/** All that have shapes, the oldest first. */
	readonly #all = new Set<Repeating>();
	#bytes = 0;
	/** Changes of how far the clock can be trusted. */
	#clockChanges = 0;
	#quality: string | undefined;
	/** The frame that is handed over, if it is to be learnt from: most are written in the same turn. */
	#learning: { repeating: Repeating; frame: Frame; items?: readonly Buffer[] | undefined } | undefined;
	/** Readings taken by their shapes since the start. */
	readonly #totals = new Map<Transport, number>();
	#revision = 0;
	#receivedAt = 0;
	/** Readings taken since `begin`, and how many of them told of a device's restart. */
	#taken = 0;
	#restarts = 0;

	constructor(parts: ReadingShapesParts) {
		this.#parts = parts;
		this.#onDeferred = ({ code, message }, readings) =>
			parts.trace.deferred(code, message, readings, parts.clock.now());
	}

	/** Rises when shapes no longer hold; all of them are then forgotten. */
	revision(): number {
		const { clock, revision } = this.#parts;
		if (clock.quality !== this.#quality) {
			this.#quality = clock.quality;
			this.#clockChanges++;
		}
		const now = revision() + this.#clockChanges;
		if (now !== this.#revision) {
			this.#revision = now;
			for (const { shapes } of this.#all) {
				for (const shape of shapes) shape.isVoid = true;
				shapes.length = 0;
			}
			this.#all.clear();
			this.#bytes = 0;
		}
		return now;
	}

	/** Begins to know the messages of a sender. */
	repeating({ transport, source, sender }: Frame, layout: Repeating['layout'] = 'message'): Repeating {
		return { transport, source, sender, layout, shapes: [], lessons: MAX_LESSONS, skipped: 0 };
	}

	/** Forgets a sender's messages, such as those of a connection that has ended. */
	forget(repeating: Repeating): void {
		for (const shape of [...repeating.shapes]) this.#drop(repeating, shape);
	}

	/** Memory that all shapes take, in bytes, as far as it is known. */
	get bytes(): number {
		return this.#bytes;
	}

	/** Learns from a frame that is handed to the intake now how the next one like it is stored. */
	learn(repeating: Repeating, frame: Frame): void {
		if (repeating.lessons === 0 && ++repeating.skipped < RARELY) return;
		repeating.lessons = Math.max(0, repeating.lessons - 1);
		repeating.skipped = 0;
		this.#learning = { repeating, frame };
	}

	/** Notes a reading of a frame and its record. */
	readonly wrote: OnWritten = (frame, reading, record, index, count) => {
		const learning = this.#learning;
		if (learning?.frame === frame) {
			if (index === 0) learning.items = readingsOf(frame, learning.repeating.layout);
			const raw = learning.items?.length === count && index < MAX_LEARNT ? learning.items[index] : undefined;
			if (raw) this.#add(learning.repeating, { raw, reading, record });
		}
		if (index === count - 1) this.#learning = undefined;
	};

	/** Notes readings that were taken by shapes. */
	count(transport: Transport, readings: number): void {
		this.#totals.set(transport, (this.#totals.get(transport) ?? 0) + readings);
	}

	/** Readings taken by their shapes since the start. */
	get totals(): ReadonlyMap<Transport, number> {
		return this.#totals;
	}

	/**
	 * Begins a run of messages of one sender, within one turn of the event loop. False: none can be taken now.
	 */
	begin(senderId: string): boolean {
		const { clock, trace, isWaiting } = this.#parts;
		// May change the clock's quality.
		this.#receivedAt = clock.now();
		this.#taken = 0;
		this.#restarts = 0;
		return !trace.watching && !isWaiting(senderId);
	}

	/** Takes a message, if a shape fits it. False: nothing has happened; it must take the long way. */
	take(repeating: Repeating, raw: Buffer): boolean {
		const { shapes } = repeating;
		for (let i = 0; i < shapes.length; i++) {
			const shape = shapes[i]!;
			if (!shape.payload.matches(raw)) continue;
			if (i > 0) {
				shapes[i] = shapes[0]!;
				shapes[0] = shape;
			}
			if (!this.#store(shape, repeating, raw)) return false;
			if (repeating.lessons < MAX_LESSONS) repeating.lessons++;
			return true;
		}
		return false;
	}

	/**
	 * Ends a run. `onDurable` is called when its readings are on disk, with their number; or with an error as of
	 * `Intake.take`, and all are to be taken again by the long way.
	 */
	end(transport: Transport, onDurable: Completion): void {
		if (this.#taken === 0) return;
		const { ledger, log } = this.#parts;
		const counts = { taken: this.#taken, duplicates: 0, restarts: this.#restarts };
		this.count(transport, this.#taken);
		log.whenDurable(completion(ledger.of(transport), counts, [], onDurable, this.#onDeferred));
	}

	/** Everything that depends on the numbers of a message, in the order of the long way. */
	#store(shape: Shape, repeating: Repeating, raw: Buffer): boolean {
		const { log, cadences, availability, recorder, ledger } = this.#parts;
		const receivedAt = this.#receivedAt;
		const observedAt = shape.judge(raw, receivedAt);
		if (observedAt === undefined) return false;
		const { key } = shape.image.record;
		const verdict = key ? log.lookUp(key) : 'new';
		if (verdict === 'duplicate') return false;
		// Called again by the long way with the same time, it says the same.
		if (cadences.heard(shape.seriesId, shape.metric, Math.min(observedAt, receivedAt)) !== shape.freshFor) {
			this.#drop(repeating, shape);
			return false;
		}
		const offset = log.nextOffset;
		shape.image.write(offset, shape.payload, raw, observedAt, receivedAt);
		if (!log.enqueueImage(shape.image.record, receivedAt)) return false;
		const { transport, source, sender } = repeating;
		recorder.record({ transport, source, sender, raw }, receivedAt, offset);
		ledger.of(transport).received += 1;
		availability.received(shape.sensorId, shape.metric, shape.place, repeating, receivedAt);
		this.#taken++;
		if (verdict === 'restart') this.#restarts++;
		return true;
	}

	#add(repeating: Repeating, learnt: LearntReading): void {
		const { clock, log, cadences, metrics } = this.#parts;
		const { reading } = learnt;
		if (repeating.shapes.some(({ payload }) => payload.matches(learnt.raw))) return;
		if (clock.era !== undefined || isDoorMetric(reading.incoming.metric)) return;
		if (metrics.assumedUnit?.(reading.incoming.metric) !== undefined && reading.incoming.unit === undefined) return;
		this.revision();
		const at = Math.min(reading.observedAt, learnt.record.receivedAt);
		const freshFor = cadences.heard(reading.seriesId, reading.incoming.metric, at);
		const shape = shapeOf(learnt, { logId: log.id, freshFor });
		if (!shape) return;
		const { shapes } = repeating;
		if (shapes.length >= MAX_SHAPES[repeating.layout]) this.#drop(repeating, shapes.at(-1)!);
		shapes.unshift(shape);
		this.#all.add(repeating);
		this.#bytes += shape.bytes;
		while (this.#bytes > MAX_ALL_BYTES) {
			const [oldest] = this.#all;
			this.#drop(oldest!, oldest!.shapes.at(-1)!);
		}
	}

	#drop(repeating: Repeating, shape: Shape): void {
		const { shapes } = repeating;
		shapes.splice(shapes.indexOf(shape), 1);
		this.#bytes -= shape.bytes;
		shape.isVoid = true;
		if (shapes.length === 0) this.#all.delete(repeating);
	}
}

/**
 * The bytes of each reading of a message. Undefined unless all were sent in full, or it is a bare number: of the short
 * form, keys that nobody reads are counted with every message.
 */
function readingsOf({ raw, parsed }: Frame, layout: Repeating['layout']): readonly Buffer[] | undefined {
	if (layout === 'message') return typeof parsed === 'number' || isInFull(parsed) ? [raw] : undefined;
	const isPlain = Array.isArray(parsed) ? parsed.every(isInFull) : isInFull(parsed);
	return isPlain ? itemsOf(raw, layout) : undefined;
}

function isInFull(parsed: unknown): boolean {
	return typeof parsed === 'object' && parsed !== null && ('metric' in parsed || 'value' in parsed);
}
