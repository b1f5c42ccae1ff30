/** Records what happened to messages: failures always, successes only while they are followed. */
import type { Stage, Transport } from '@crowdvision/contracts';
import { matchesFilter } from '../topics/topic-filter.ts';

/** What happened to a message at one stage. */
export interface TraceEvent {
	/** When the message was received, epoch ms; the same in all events of a message. */
	at: number;
	stage: Stage;
	/** `ok`, or why the message went no further. */
	outcome:
		| 'ok'
		| 'duplicate'
		| 'ignored'
		| 'presence'
		| 'no_value'
		| 'unknown_field'
		| 'refused'
		| 'deferred'
		| 'dropped'
		| 'unauthenticated'
		| 'rate_limited';
	transport?: Transport | undefined;
	source?: string | undefined;
	sender?: string | undefined;
	domainName?: string | undefined;
	sensorId?: string | undefined;
	/** Id of the reading. */
	id?: string | undefined;
	/** A text for users. */
	detail?: string | undefined;
	/** What to do about it, if that differs from what its verdict says. */
	todo?: (() => string) | undefined;
}

/** Selects messages. A missing member does not restrict. */
export interface TraceFilter {
	sensor?: string | undefined;
	topic?: string | undefined;
	sender?: string | undefined;
}

interface Watch {
	filter: TraceFilter;
	until: number;
	events: TraceEvent[];
}

/** A period in which readings could not be stored. Times are epoch ms. */
export interface Outage {
	code: string;
	message: string;
	from: number;
	to: number;
	/** Number of readings that were deferred. */
	readings: number;
}

const MAX_WATCHES = 16;
const MAX_WATCHED_EVENTS = 1000;
const MAX_FAILURES = 2000;
const MAX_REMARKS = 500;
const MAX_OUTAGES = 100;
/** Deferrals that are no further apart belong to one outage. */
const OUTAGE_GAP_MS = 5000;

/**
 * Records what happened to messages. Failures are always recorded, within a bound. Successful stages are recorded only
 * for messages that are being followed: callers note them only while `watching` is true.
 */
export class Trace {
	readonly #failures: TraceEvent[] = [];
	/** Messages without a reading. */
	readonly #remarks: TraceEvent[] = [];
	readonly #outages: Outage[] = [];
	#watches: Watch[] = [];

	/** Whether any messages are being followed. */
	get watching(): boolean {
		return this.#watches.length > 0;
	}

	/**
	 * Follows matching messages until `until` (epoch ms); a time in the past ends it. With too many filters, the one that
	 * ends first is removed.
	 */
	watch(filter: TraceFilter, until: number, now: number): void {
		const key = JSON.stringify([filter.sensor, filter.topic, filter.sender]);
		const same = ({ filter: { sensor, topic, sender } }: Watch) => JSON.stringify([sensor, topic, sender]) === key;
		const before = this.#watches.find(same);
		this.#watches = this.#watches.filter((watch) => watch.until > now && !same(watch));
		if (until <= now) return;
		if (this.#watches.length >= MAX_WATCHES) this.#watches.sort((a, b) => a.until - b.until).shift();
		this.#watches.push({ filter, until, events: before?.events ?? [] });
		setTimeout(() => this.expire(until), until - now).unref();
	}

	/** Removes the filters that end at `now` (epoch ms) or before. */
	expire(now: number): void {
		this.#watches = this.#watches.filter((watch) => watch.until > now);
	}

	/** Until when messages of this filter are followed, epoch ms; undefined if they are not. */
	watchedUntil({ sensor, topic, sender }: TraceFilter): number | undefined {
		return this.#watches.find(
			({ filter }) => filter.sensor === sensor && filter.topic === topic && filter.sender === sender,
		)?.until;
	}

	note(event: TraceEvent): void {
		// What is no failure has a bound of its own: devices that say much beside their readings would displace the
		// failures.
		if (event.outcome === 'ignored' || event.outcome === 'presence') push(this.#remarks, event, MAX_REMARKS);
		else if (event.outcome !== 'ok') push(this.#failures, event, MAX_FAILURES);
		for (const watch of this.#watches) if (matches(watch.filter, event)) push(watch.events, event, MAX_WATCHED_EVENTS);
	}

	/**
	 * Notes that `readings` could not be stored at `at` (epoch ms), and that their sender was told to send them again.
	 */
	deferred(code: string, message: string, readings: number, at: number): void {
		const last = this.#outages.at(-1);
		if (last?.code === code && at - last.to <= OUTAGE_GAP_MS) {
			last.to = at;
			last.readings += readings;
			last.message = message;
		} else push(this.#outages, { code, message, from: at, to: at, readings }, MAX_OUTAGES);
	}

	/** The outage at a time (epoch ms). */
	outageAt(at: number): Outage | undefined {
		return this.#outages.findLast(({ from, to }) => at >= from - OUTAGE_GAP_MS && at <= to);
	}

	/** The recorded events of matching messages, each once: those of followed messages first, in order of recording. */
	events(filter: TraceFilter): TraceEvent[] {
		const found = new Set<TraceEvent>();
		for (const watch of this.#watches) for (const event of watch.events) if (matches(filter, event)) found.add(event);
		for (const event of [...this.#failures, ...this.#remarks]) if (matches(filter, event)) found.add(event);
		return [...found];
	}
}

function matches({ sensor, topic, sender }: TraceFilter, event: TraceEvent): boolean {
	if (sender !== undefined && event.sender !== sender) return false;
	if (topic !== undefined && (event.source === undefined || !matchesFilter(topic, event.source))) return false;
	if (sensor === undefined) return true;
	if (event.sensorId !== undefined) return event.sensorId === sensor;
	return event.sender === sensor || (event.source?.split('/').includes(sensor) ?? false);
}

/** Appends an item; above `max` the oldest items are removed. */
function push<T>(ring: T[], item: T, max: number): void {
	ring.push(item);
	// Removes several at once, as shifting a long array for each item is slow.
	if (ring.length > max * 1.25) ring.splice(0, ring.length - max);
}
