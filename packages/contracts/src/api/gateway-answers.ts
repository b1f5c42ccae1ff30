/** The bodies of the gateway's answers. */
import Type, { type Static } from 'typebox';
import { ERRORS, type ErrorCode } from '../errors.ts';
import { PlaceId, SensorId, TRANSPORTS } from '../reading/reading.ts';
import { NextCursor } from './paging.ts';
import { VERDICTS, type Verdict } from './verdicts.ts';

const EpochMs = Type.Number({ description: 'epoch ms' });
const TransportName = Type.Enum([...TRANSPORTS]);
const Count = Type.Integer({ minimum: 0 });
const Code = Type.Unsafe<ErrorCode>(Type.Enum(Object.keys(ERRORS)));
const Sample = (of: string) => Type.String({ description: `the beginning of ${of}; hex where it is not text` });

/** A device or a port, as `GET /gateway/devices` lists it. */
export const DeviceStatus = Type.Object({
	id: Type.String({ description: 'device id, or path of a port' }),
	domainName: Type.Optional(Type.String()),
	transport: TransportName,
	connected: Type.Boolean(),
	lastSeen: EpochMs,
	readings: Type.Integer({ description: 'since the gateway started' }),
	trouble: Type.Optional(Type.String({ description: 'what is wrong with it' })),
});
export type DeviceStatus = Static<typeof DeviceStatus>;

/** A sensor that has sent, or whose device has reported its state. */
export const SensorStatus = Type.Object({
	sensorId: SensorId,
	name: Type.Optional(Type.String({ description: 'how people call it, where the id does not say it' })),
	state: Type.Enum(['online', 'offline']),
	since: EpochMs,
	lastSeen: EpochMs,
	timeoutMs: Type.Number({ description: 'silence after which it counts as offline, in ms' }),
	transport: Type.Optional(TransportName),
	metric: Type.Optional(Type.String({ description: 'the metric of its latest reading' })),
	buildingId: Type.Optional(PlaceId),
	roomId: Type.Optional(PlaceId),
	domainName: Type.Optional(Type.String()),
	sender: Type.Optional(Type.String({ description: 'device or port that sent its latest reading' })),
	source: Type.Optional(Type.String({ description: 'topic, path or port of its latest reading' })),
});
export type SensorStatus = Static<typeof SensorStatus>;

/** A sensor that sends, but whose place is not known. */
export const QuarantinedSensor = Type.Object({
	sensorId: SensorId,
	name: Type.Optional(Type.String({ description: 'how people call it, where the id does not say it' })),
	transport: TransportName,
	source: Type.String({ description: 'topic, path or port' }),
	sender: Type.String({ description: 'device id, or path of a port' }),
	domainName: Type.Optional(Type.String()),
	buildingId: Type.Optional(Type.String({ description: "from the device's token or its port's configuration" })),
	firstSeen: EpochMs,
	lastSeen: EpochMs,
	count: Type.Integer({ minimum: 1, description: 'messages refused because of it' }),
	metric: Type.Optional(Type.String({ description: 'the metric of its latest reading' })),
	sample: Sample('its last message'),
});
export type QuarantinedSensor = Static<typeof QuarantinedSensor>;

/** `GET /gateway/devices` */
export const DeviceList = Type.Object({
	devices: Type.Array(DeviceStatus),
	sensors: Type.Array(SensorStatus),
	quarantined: Type.Array(QuarantinedSensor),
	nextCursor: NextCursor,
});
export type DeviceList = Static<typeof DeviceList>;

/** The place of a sensor. */
export const SensorPlace = Type.Object({ sensorId: SensorId, buildingId: PlaceId, roomId: PlaceId });
export type SensorPlace = Static<typeof SensorPlace>;

/** The place of a sensor that has replaced another. */
export const SensorReplacement = Type.Object({ ...SensorPlace.properties, replaces: SensorId });
export type SensorReplacement = Static<typeof SensorReplacement>;

/** A refused message. */
export const Rejection = Type.Object({
	id: Type.Integer({ minimum: 0 }),
	at: EpochMs,
	transport: TransportName,
	source: Type.String({ description: 'topic, path or port' }),
	sender: Type.Optional(Type.String({ description: 'device id, or path of a port' })),
	domainName: Type.Optional(Type.String()),
	sensorId: Type.Optional(Type.String({ description: 'if the message names one' })),
	sensorIds: Type.Optional(
		Type.Array(Type.String(), { description: 'all sensors for which it is refused, if they are several' }),
	),
	code: Code,
	message: Type.String(),
	path: Type.Optional(Type.String({ description: 'JSON Pointer to the mistake' })),
	taken: Type.Optional(
		Type.Integer({
			minimum: 1,
			description: 'how many readings of the message were stored; only the rest was refused',
		}),
	),
	sample: Sample('the message'),
	bytes: Type.Integer({ description: 'size of the message' }),
	whole: Type.Boolean({ description: 'the whole message is stored, so that it can be replayed' }),
	replayed: Type.Optional(
		Type.Object(
			{ at: EpochMs, accepted: Type.Integer() },
			{ description: 'when a replay of it was accepted, and with how many readings' },
		),
	),
});
export type Rejection = Static<typeof Rejection>;

/** `POST /ingest`: how many readings are durable, and what of the message was refused. */
export const IngestAnswer = Type.Object({
	accepted: Count,
	rejected: Type.Optional(
		Type.Array(
			Type.Object({
				index: Type.Integer({ minimum: 0, description: 'of the reading in the batch; 0 for a single message' }),
				path: Type.String({ description: 'JSON Pointer to the mistake' }),
				code: Code,
				message: Type.String(),
			}),
			{ description: 'the parts of the message that were refused; they are in the rejected list' },
		),
	),
});
export type IngestAnswer = Static<typeof IngestAnswer>;

/** The counts of one transport since the gateway started. */
export const TallySummary = Type.Object({
	received: Count,
	accepted: Count,
	duplicates: Count,
	deferred: Count,
	restarts: Count,
	pending: Count,
	rejected: Type.Record(Type.String(), Count),
	ignored: Type.Record(Type.String(), Count),
	dropped: Type.Record(Type.String(), Count),
	imbalance: Type.Integer({ description: 'what is not accounted for; must be 0' }),
});
export type TallySummary = Static<typeof TallySummary>;

/** `GET /gateway/rejected` */
export const RejectedPage = Type.Object({
	rejected: Type.Array(Rejection),
	nextCursor: NextCursor,
	next: Type.Optional(Type.Integer({ description: '`before` of the next page' })),
	counts: Type.Record(Type.String(), TallySummary),
});
export type RejectedPage = Static<typeof RejectedPage>;

/** The result of replaying one refused message. */
export const Replayed = Type.Object({
	id: Type.Integer({ minimum: 0 }),
	outcome: Type.Enum(['accepted', 'refused', 'already', 'deferred', 'not_kept'], {
		description:
			'accepted: its readings are durable now; refused: it is refused again, for the given reason; already: an ' +
			'earlier replay was accepted; deferred: it cannot be accepted now, try again later; not_kept: the message is ' +
			'no longer stored, or not completely',
	}),
	accepted: Type.Optional(Count),
	code: Type.Optional(Code),
	message: Type.Optional(Type.String()),
});
export type Replayed = Static<typeof Replayed>;

/** `GET /gateway/config` */
export const ConfigurationStatus = Type.Object({
	path: Type.String({ description: 'of gateway.yaml' }),
	state: Type.Enum(['confirmed', 'trial'], {
		description: 'trial: in force, and undone if an uplink, a way in or the ledger suffers before `until`',
	}),
	since: EpochMs,
	until: Type.Optional(Type.Number({ description: 'end of the trial, epoch ms' })),
	notInForce: Type.Optional(
		Type.String({
			description: 'why the content of the file is not in force: its mistakes, one per line, or why it was undone',
		}),
	),
	needsRestart: Type.Array(Type.String(), { description: 'changed options that only count from the next start' }),
});
export type ConfigurationStatus = Static<typeof ConfigurationStatus>;

const BridgeDirection = Type.Object(
	{
		received: Count,
		delivered: Count,
		pending: Count,
		dropped: Type.Record(Type.String(), Count, {
			description: 'by reason: echo, standby, loop, too_large, refused, rejected, no_rule, lost',
		}),
	},
	{ description: 'since the gateway started; received = delivered + pending + dropped' },
);

/** One MQTT bridge, as `GET /gateway/bridges` lists it. */
export const BridgeStatus = Type.Object({
	name: Type.String(),
	state: Type.Enum(['waiting', 'connecting', 'listening', 'connected', 'disconnected', 'stopped'], {
		description:
			'waiting: it need not be connected now; listening: connected, and checking for loops before it passes ' +
			'messages; stopped: after a failure with start: once',
	}),
	since: EpochMs,
	address: Type.Optional(Type.String({ description: 'the address in use, or the one being tried' })),
	protocol: Type.Optional(Type.Enum(['3.1.1', '5'])),
	lastFailure: Type.Optional(
		Type.Object(
			{ at: EpochMs, reason: Type.String(), address: Type.Optional(Type.String()) },
			{ description: 'the last failure of the connection' },
		),
	),
	standbyFor: Type.Optional(
		Type.String({ description: 'the bridge that carries its messages, while it is on standby because of a loop' }),
	),
	queued: Type.Integer({ minimum: 0, description: 'records that the remote does not have yet' }),
	lag: Type.Number({ minimum: 0, description: 'age of the oldest of them, in ms' }),
	delivered: Type.Integer({ minimum: 0, description: 'messages acknowledged by the remote' }),
	received: Type.Integer({ minimum: 0, description: 'messages received from the remote' }),
	echoesDropped: Count,
	duplicates: Type.Object({ sent: Count, received: Count }, { description: 'messages sent or received again' }),
	out: BridgeDirection,
	in: BridgeDirection,
});
export type BridgeStatus = Static<typeof BridgeStatus>;

/** A bridge as everyone but an admin of the platform sees it. */
export const BridgeState = Type.Pick(BridgeStatus, ['name', 'state', 'since'], { additionalProperties: false });

const VerdictName = Type.Unsafe<Verdict>(
	Type.Enum(Object.keys(VERDICTS), {
		description: Object.entries(VERDICTS)
			.map(([verdict, { means }]) => `${verdict}: ${means}`)
			.join(' '),
	}),
);

/** The stages of a message's way through the gateway, in order. */
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

/** What happened to a message at one stage. */
export const StageReport = Type.Object({
	stage: Type.Enum([...STAGES]),
	outcome: Type.String({ description: 'ok, waiting, or why it went no further' }),
	at: Type.Optional(EpochMs),
	detail: Type.Optional(Type.String()),
});
export type StageReport = Static<typeof StageReport>;

/** What happened to one message, or to one of its readings. */
export const MessageReport = Type.Object({
	at: Type.Number({ description: 'when it was received, epoch ms; 0 if unknown' }),
	transport: Type.Optional(Type.String()),
	source: Type.Optional(Type.String({ description: 'topic, path or port' })),
	sender: Type.Optional(Type.String()),
	sensorId: Type.Optional(Type.String()),
	id: Type.Optional(Type.String({ description: 'of the reading' })),
	verdict: VerdictName,
	text: Type.String({ description: 'an explanation for a person' }),
	todo: Type.Optional(Type.String({ description: 'what to do, if that differs from what its verdict says' })),
	sample: Type.Optional(Sample('the message')),
	stages: Type.Array(StageReport),
});
export type MessageReport = Static<typeof MessageReport>;

/** `GET /gateway/trace` */
export const Explanation = Type.Object({
	question: Type.Object({
		sensor: Type.Optional(Type.String()),
		topic: Type.Optional(Type.String()),
		sender: Type.Optional(Type.String()),
		id: Type.Optional(Type.String()),
	}),
	verdict: VerdictName,
	text: Type.String({ description: 'an explanation for a person' }),
	hint: Type.String({ description: 'what to do' }),
	troubles: Type.Array(Type.String(), {
		description: "present problems of the gateway's connections; for admins only",
	}),
	messages: Type.Array(MessageReport, { description: 'the newest first' }),
	followedUntil: Type.Optional(EpochMs),
});
export type Explanation = Static<typeof Explanation>;
