/** A request that posts readings, whichever way it was read. */
import { CrowdVisionError, type RejectedPart } from '@crowdvision/contracts';
import type { DecodeBy, Decoders } from '../../decode/decoders.ts';
import type { Frame } from '../../frame.ts';
import type { Sender } from '../../normalize/identify.ts';
import { JSON_TYPE } from '../ndjson.ts';

/** Where a request is posted to. */
export interface Target {
	/** Of `POST /ingest/{name}`. */
	name: string | undefined;
	/** The event that the query names, as ChirpStack does. */
	event: string | undefined;
	/** Whether what is sound of an array is to be taken. */
	partial: boolean;
}

/** A request that posts readings. */
export interface Post extends Target {
	sender: Sender;
	/** Of the client on the network, as trusted proxies tell it; undefined once its connection is gone. */
	address: string | undefined;
	/** As `mediaType`. */
	type: string;
	body: Buffer;
}

/** Called once: with the number of readings that are durable and the parts that are refused, or with the error. */
export type OnPosted = (error: Error | undefined, accepted: number, rejected?: readonly RejectedPart[]) => void;

/** Has the readings of a request stored. Never throws. */
export type TakePost = (post: Post, done: OnPosted) => void;

/** How many are named to a sender that asks for another. */
const MAX_NAMED_PATHS = 20;
const EVENT = /^\w{1,32}$/;

/** What the query of a request says, by its keys as they were sent. */
export function targetOf(name: string | undefined, { partial, event }: Record<string, unknown>): Target {
	return {
		name,
		event: typeof event === 'string' && EVENT.test(event) ? event : undefined,
		partial: partial === '1' || partial === 'true',
	};
}

/** The media type of a Content-Type, in lower case and without parameters; JSON for a request without one. */
export function mediaType(header: string | undefined): string {
	if (header === undefined || header === JSON_TYPE) return JSON_TYPE;
	return header.split(';', 1)[0]!.trim().toLowerCase();
}

/** The frame of a request. @throws CrowdVisionError `not_found` for a path without a rule */
export function frameOf({ sender, type, name, event, partial, body }: Post, decoders: Decoders): Frame {
	const decodeBy = name === undefined ? decoders.forContentType(type) : ruleOf(decoders, name);
	const source = sourceOf({ name, event }, type, decodeBy !== undefined);
	const context = onlySensor(sender.sensorIds);
	const frame: Frame = { transport: 'http', source, sender, context, raw: body, decodeBy };
	if (partial) frame.partial = true;
	// What a replay looks up: JSON is what a request without a type is, unless a rule is for that type.
	if (type !== JSON_TYPE || decodeBy) frame.contentType = type;
	return frame;
}

/**
 * How a request is named in the rejected list and in rules: its path, which tells a replay its rule, and the event that
 * its query names.
 */
function sourceOf({ name, event }: Pick<Target, 'name' | 'event'>, type: string, isDecoded: boolean): string {
	if (name === undefined) return isDecoded ? `POST /ingest ${type}` : 'POST /ingest';
	return event === undefined ? `POST /ingest/${name}` : `POST /ingest/${name}?event=${event}`;
}

/** @throws CrowdVisionError `not_found` for a path without a rule */
export function ruleOf(decoders: Decoders, name: string): DecodeBy {
	const decodeBy = decoders.forPath(name);
	if (decodeBy) return decodeBy;
	const paths = decoders.paths().slice(0, MAX_NAMED_PATHS);
	const known = paths.length > 0 ? `those that have one are ${paths.join(', ')}` : 'none has one';
	const message = `No entry of decoders in gateway.yaml has the path ${JSON.stringify(name.slice(0, 64))}; ${known}`;
	throw new CrowdVisionError('not_found', message);
}

const ANY_SENSOR = {};

/** The sensor of readings that name none, if the sender's token is for a single one. */
function onlySensor(sensorIds: ReadonlySet<string> | undefined): { onlySensorId?: string } {
	if (sensorIds?.size !== 1) return ANY_SENSOR;
	const [onlySensorId] = sensorIds;
	return onlySensorId === undefined ? ANY_SENSOR : { onlySensorId };
}
