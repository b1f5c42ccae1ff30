import type { Transport } from '@crowdvision/contracts';
import { matchesFilter } from '../topics/topic-filter.ts';

/** The way of a message, stage by stage. */
export const STAGES = [
	'received',
	'decoded',
	'normalized',
	'judged',
	'stored',
	'relayed',
	'bridged',
	'delivered',
] as const;
export type Stage = (typeof STAGES)[number];

/** Something that happened to a message. */
export interface TraceEvent {
	/** When the message came in, epoch ms: what is noted of one message has the same. */
	at: number;
	stage: Stage;
	/** `ok`, or why it went no further. */
	outcome: 'ok' | 'duplicate' | 'ignored' | 'refused' | 'deferred' | 'dropped' | 'unauthenticated' | 'rate_limited';
	transport?: Transport | undefined;
	source?: string | undefined;
	sender?: string | undefined;
	domainName?: string | undefined;
	sensorId?: string | undefined;
	/** Of the reading. */
	id?: string | undefined;
	/** In words. */
	detail?: string | undefined;
}

/** Which messages. What is left out does not restrict. */
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

/** A stretch of time in which messages could not be taken. */
export interface Spell {
	code: string;
	message: string;
	from: number;
	to: number;
	readings: number;
}

const MOST_WATCHES = 16;
const MOST_WATCHED = 1000;
const MOST_UNHAPPY = 2000;
const MOST_SPELLS = 100;
/** Deferrals that are no further apart are one spell. */
const SPELL_GAP_MS = 5000;

/**
 * What happened to messages. What went wrong is always noted, within a bound; each stage of those that go well only
 * while somebody follows them: then
 * `watching` is true, and only then is anything else to be noted.
 */
export class Trace {
	readonly #unhappy: TraceEvent[] = [];
	readonly #spells: Spell[] = [];
	#watches: Watch[] = [];

	/** Whether anybody follows anything. */
	get watching(): boolean {
		return this.#watches.length > 0;
	}

	/**
	 * Follows what matches until `until`, epoch ms; with a time that has passed, no more. Of too many the one that ends
	 * first is given up.
	 */
	watch(filter: TraceFilter, until: number, now: number): void {
		const key = JSON.stringify([filter.sensor, filter.topic, filter.sender]);
		const same = ({ filter: { sensor, topic, sender } }: Watch) => JSON.stringify([sensor, topic, sender]) === key;
		const before = this.#watches.find(same);
		this.#watches = this.#watches.filter((watch) => watch.until > now && !same(watch));
		if (until <= now) return;
		if (this.#watches.length >= MOST_WATCHES) this.#watches.sort((a, b) => a.until - b.until).shift();
		this.#watches.push({ filter, until, events: before?.events ?? [] });
		setTimeout(() => this.expire(until), until - now).unref();
	}

	/** Gives up what ends at `now` or before. */
	expire(now: number): void {
		this.#watches = this.#watches.filter((watch) => watch.until > now);
	}

	/** Until when what matches this filter is followed; undefined where it is not. */
	watchedUntil({ sensor, topic, sender }: TraceFilter): number | undefined {
		return this.#watches.find(
			({ filter }) => filter.sensor === sensor && filter.topic === topic && filter.sender === sender,
		)?.until;
	}

	note(event: TraceEvent): void {
		if (event.outcome !== 'ok') keep(this.#unhappy, event, MOST_UNHAPPY);
		for (const watch of this.#watches) if (matches(watch.filter, event)) keep(watch.events, event, MOST_WATCHED);
	}

	/** So many readings could not be taken at `at`, and their sender was told to come again. */
	deferred(code: string, message: string, readings: number, at: number): void {
		const last = this.#spells.at(-1);
		if (last?.code === code && at - last.to <= SPELL_GAP_MS) {
			last.to = at;
			last.readings += readings;
			last.message = message;
		} else keep(this.#spells, { code, message, from: at, to: at, readings }, MOST_SPELLS);
	}

	/** The one that this time lies in. */
	spellAt(at: number): Spell | undefined {
		return this.#spells.findLast(({ from, to }) => at >= from - SPELL_GAP_MS && at <= to);
	}

	/** What is known of the messages that match, in the order it was noted, each event once. */
	events(filter: TraceFilter): TraceEvent[] {
		const found = new Set<TraceEvent>();
		for (const watch of this.#watches) for (const event of watch.events) if (matches(filter, event)) found.add(event);
		for (const event of this.#unhappy) if (matches(filter, event)) found.add(event);
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

function keep<T>(ring: T[], item: T, most: number): void {
	ring.push(item);
	// Not one by one: shifting a long array for each costs.
	if (ring.length > most * 1.25) ring.splice(0, ring.length - most);
}
