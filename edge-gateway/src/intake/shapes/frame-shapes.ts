/** Takes whole messages by the shapes of their readings: what HTTP posts, and arrays over MQTT. */
import type { Log } from '@crowdvision/log';
import { type Completion, type Frame, NDJSON_TYPE } from '../../frame.ts';
import type { Sender } from '../../normalize/identify.ts';
import { completion, type OnDeferred } from '../completion.ts';
import { firstItem, type Layout, layoutOf, nextItem } from './items.ts';
import type { ReadingShapes, ReadingShapesParts, Repeating } from './reading-shapes.ts';
import type { Shape } from './shape.ts';

/** What is known of the messages of one sender, source and layout. */
interface Known {
	repeating: Repeating;
	context: Frame['context'];
	/** The shape that was found after another one, by the one before. */
	next: WeakMap<Shape, Shape>;
}

/** A reading of a message, as it was judged. */
interface Item {
	shape: Shape;
	start: number;
	/** Epoch ms. */
	observedAt: number;
	verdict: ReturnType<Log['lookUp']>;
}

/** Senders and sources that are known at a time; those that were used longest ago are forgotten. */
const MAX_KNOWN = 1024;

/**
 * Takes messages whose readings all have known shapes, without parsing them; the others are to take the long way, and
 * are learnt from. A message is taken whole or not at all.
 */
export class FrameShapes {
	readonly #parts: ReadingShapesParts;
	readonly #shapes: ReadingShapes;
	readonly #onDeferred: OnDeferred;
	/** The one that was used last comes last. */
	readonly #known = new Map<string, Known>();
	/** What tells senders apart: all that a token says. */
	readonly #senders = new WeakMap<Sender, string>();

	constructor(parts: ReadingShapesParts, shapes: ReadingShapes) {
		this.#parts = parts;
		this.#shapes = shapes;
		this.#onDeferred = ({ code, message }, readings) =>
			parts.trace.deferred(code, message, readings, parts.clock.now());
	}

	/**
	 * Takes a frame that is not parsed yet, synchronously. `onDurable` is then called as by `Intake.take`. False: nothing
	 * has happened, and it must take the long way.
	 */
	take(frame: Frame, onDurable: Completion): boolean {
		const layout = layoutToTake(frame);
		const known = layout && this.#known.get(this.#keyOf(frame, layout));
		if (!known || !isSame(known.context, frame.context)) return false;
		const { clock, trace, isWaiting } = this.#parts;
		// May change the clock's quality.
		const receivedAt = clock.now();
		this.#shapes.revision();
		if (known.repeating.shapes.length === 0 || trace.watching || isWaiting(frame.sender.id)) return false;
		const items = this.#judge(known, frame.raw, layout, receivedAt);
		if (!items) return false;
		this.#store(frame, known.repeating, items, receivedAt, onDurable);
		return true;
	}

	/** Learns from a frame that is handed to the intake now how the next one like it is stored. */
	learn(frame: Frame): void {
		const layout = layoutToTake(frame);
		if (!layout) return;
		const key = this.#keyOf(frame, layout);
		let known = this.#known.get(key);
		if (!known || !isSame(known.context, frame.context)) {
			if (known) this.#shapes.forget(known.repeating);
			known = { repeating: this.#shapes.repeating(frame, layout), context: frame.context, next: new WeakMap() };
		}
		this.#known.delete(key);
		this.#known.set(key, known);
		this.#shapes.learn(known.repeating, frame);
		const [oldest] = this.#known;
		if (this.#known.size <= MAX_KNOWN || !oldest) return;
		this.#known.delete(oldest[0]);
		this.#shapes.forget(oldest[1].repeating);
	}

	/** Finds and judges all readings of a message. Undefined if the long way must. */
	#judge(known: Known, raw: Buffer, layout: Layout, receivedAt: number): Item[] | undefined {
		const { log, cadences } = this.#parts;
		const items: Item[] = [];
		const keys = new Set<string>();
		let bytes = 0;
		let last: Shape | undefined;
		for (let start = firstItem(raw, layout); start !== raw.length; ) {
			if (start < 0) return undefined;
			const shape = find(known, raw, start, last);
			const end = shape?.payload.matchAt(raw, start) ?? -1;
			const observedAt = shape?.judge(raw, receivedAt);
			if (!shape || end < 0 || observedAt === undefined) return undefined;
			const at = Math.min(observedAt, receivedAt);
			if (!cadences.keeps(shape.seriesId, shape.metric, at, shape.freshFor)) return undefined;
			const { key } = shape.image.record;
			let verdict: Item['verdict'] = key ? log.lookUp(key) : 'new';
			if (key && verdict !== 'duplicate') {
				const text = `${key.source} ${key.boot} ${key.seq} ${key.hash}`;
				if (keys.has(text)) verdict = 'duplicate';
				keys.add(text);
			}
			items.push({ shape, start, observedAt, verdict });
			bytes += shape.image.record.bytes.length;
			last = shape;
			start = nextItem(raw, end, layout);
		}
		return items.length > 0 && log.hasRoom(bytes) ? items : undefined;
	}

	/** Does what the long way does with readings that are sound, in its order. */
	#store(frame: Frame, repeating: Repeating, items: readonly Item[], receivedAt: number, onDurable: Completion): void {
		const { log, cadences, availability, recorder, ledger } = this.#parts;
		const { raw, transport } = frame;
		recorder.record(frame, receivedAt, log.nextOffset);
		const tally = ledger.of(transport);
		tally.received += items.length;
		for (const { shape } of items)
			availability.received(shape.sensorId, shape.metric, shape.place, repeating, receivedAt);
		const counts = { taken: 0, duplicates: 0, restarts: 0 };
		for (const { shape, start, observedAt, verdict } of items) {
			if (verdict === 'duplicate') {
				counts.duplicates++;
				continue;
			}
			shape.payload.matchAt(raw, start);
			shape.judge(raw, receivedAt);
			cadences.heard(shape.seriesId, shape.metric, Math.min(observedAt, receivedAt));
			shape.image.write(log.nextOffset, shape.payload, raw, observedAt, receivedAt);
			if (!log.enqueueImage(shape.image.record, receivedAt)) throw new Error('the log has no room that it had');
			counts.taken++;
			if (verdict === 'restart') counts.restarts++;
		}
		this.#shapes.count(transport, counts.taken);
		log.whenDurable(completion(tally, counts, [], onDurable, this.#onDeferred));
	}

	#keyOf({ transport, source, sender }: Frame, layout: Layout): string {
		let scope = this.#senders.get(sender);
		if (scope === undefined) {
			const { id, domainName, buildingId, issuedAt, bridge, sensorIds } = sender;
			scope = JSON.stringify([id, domainName, buildingId, issuedAt, bridge, sensorIds && [...sensorIds]]);
			this.#senders.set(sender, scope);
		}
		return `${layout} ${transport} ${scope} ${source}`;
	}
}

/** How a frame holds its readings; undefined where no shape can take it. */
function layoutToTake(frame: Frame): Layout | undefined {
	const { transport, contentType, raw } = frame;
	const isPlain =
		frame.decodeBy === undefined &&
		frame.replayOf === undefined &&
		frame.parts === undefined &&
		frame.receivedAt === undefined &&
		frame.port === undefined &&
		!frame.retained;
	if (!isPlain) return undefined;
	// Single readings have a lane of their own.
	if (transport === 'mqtt') return layoutOf(raw) === 'list' ? 'list' : undefined;
	if (transport !== 'http') return undefined;
	if (contentType === NDJSON_TYPE) return 'lines';
	return contentType === undefined ? layoutOf(raw) : undefined;
}

/** The shape of the reading at `start`. Messages tend to repeat the order of their readings. */
function find({ repeating: { shapes }, next }: Known, raw: Buffer, start: number, last: Shape | undefined) {
	const expected = last && next.get(last);
	if (expected && !expected.isVoid && expected.payload.matchAt(raw, start) >= 0) return expected;
	const found = shapes.find(({ payload }) => payload.matchAt(raw, start) >= 0);
	if (last && found) next.set(last, found);
	return found;
}

function isSame(one: Frame['context'], other: Frame['context']): boolean {
	if (one === other) return true;
	const keys = Object.keys(one) as (keyof Frame['context'])[];
	return keys.length === Object.keys(other).length && keys.every((key) => one[key] === other[key]);
}
