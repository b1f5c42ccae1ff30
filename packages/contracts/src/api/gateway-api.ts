import Type from 'typebox';
import { CommandRequest, CommandResult } from '../bus/command.ts';
import { ERRORS } from '../errors.ts';
import { Corrected, CorrectionRequest, CountChange } from '../reading/count-change.ts';
import { IncomingReading, PlaceId, SensorId, TRANSPORTS } from '../reading/reading.ts';
import { RejectedListQuery, ReplayRequest, TraceQuery } from './gateway-requests.ts';
import type { Operation } from './operation.ts';
import { AdoptRequest, ReplaceRequest } from './requests.ts';
import { VERDICTS } from './verdicts.ts';

const EpochMs = Type.Number({ description: 'epoch ms' });
const TransportName = Type.Enum([...TRANSPORTS]);

const DeviceStatus = Type.Object({
	id: Type.String({ description: 'device id, or path of a port' }),
	domainName: Type.Optional(Type.String()),
	transport: TransportName,
	connected: Type.Boolean(),
	lastSeen: EpochMs,
	readings: Type.Integer({ description: 'since the gateway started' }),
	trouble: Type.Optional(Type.String({ description: 'what is wrong with it' })),
});

const SensorStatus = Type.Object({
	sensorId: SensorId,
	state: Type.Enum(['online', 'offline']),
	since: EpochMs,
	lastSeen: EpochMs,
	timeoutMs: Type.Number({ description: 'after so many ms of silence it counts as offline' }),
	transport: Type.Optional(TransportName),
	metric: Type.Optional(Type.String({ description: 'what it measured last' })),
	buildingId: Type.Optional(PlaceId),
	roomId: Type.Optional(PlaceId),
	domainName: Type.Optional(Type.String()),
});

const QuarantinedSensor = Type.Object({
	sensorId: SensorId,
	transport: TransportName,
	source: Type.String({ description: 'topic, path or port' }),
	sender: Type.String({ description: 'device id, or path of a port' }),
	domainName: Type.Optional(Type.String()),
	buildingId: Type.Optional(Type.String({ description: "as the device's token or its port says" })),
	firstSeen: EpochMs,
	lastSeen: EpochMs,
	count: Type.Integer({ minimum: 1, description: 'messages refused because of it' }),
	metric: Type.Optional(Type.String({ description: 'what its last reading measured' })),
	sample: Type.String({ description: 'the beginning of its last message; hex where it is not text' }),
});

const SensorPlace = Type.Object({ sensorId: SensorId, buildingId: PlaceId, roomId: PlaceId });

const Rejection = Type.Object({
	id: Type.Integer({ minimum: 0 }),
	at: EpochMs,
	transport: TransportName,
	source: Type.String({ description: 'topic, path or port' }),
	sender: Type.Optional(Type.String()),
	domainName: Type.Optional(Type.String()),
	sensorId: Type.Optional(Type.String({ description: 'where that could be told' })),
	code: Type.Enum(Object.keys(ERRORS)),
	message: Type.String(),
	path: Type.Optional(Type.String({ description: 'JSON Pointer to what is wrong' })),
	sample: Type.String({ description: 'the beginning of what was sent; hex where it is not text' }),
	bytes: Type.Integer({ description: 'how many were sent' }),
	whole: Type.Boolean({ description: 'all of them are kept, so that it can be replayed' }),
	replayed: Type.Optional(
		Type.Object(
			{ at: EpochMs, accepted: Type.Integer() },
			{ description: 'it was taken in after all: when, and as how many readings' },
		),
	),
});

const ConfigurationStatus = Type.Object({
	path: Type.String({ description: 'of gateway.yaml' }),
	state: Type.Enum(['confirmed', 'trial']),
	since: EpochMs,
	until: Type.Optional(Type.Number({ description: 'end of the trial, epoch ms' })),
	notInForce: Type.Optional(
		Type.String({
			description: 'why what stands in the file is not in force: its mistakes, a line each, or why it was taken back',
		}),
	),
	needsRestart: Type.Array(Type.String(), { description: 'options that were changed and count from the next start' }),
});

const Count = Type.Integer({ minimum: 0 });

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

const BridgeStatus = Type.Object({
	name: Type.String(),
	state: Type.Enum(['waiting', 'connecting', 'listening', 'connected', 'disconnected', 'stopped'], {
		description:
			'waiting: not wanted for now; listening: connected, and looking for loops before it passes messages; stopped: by start: once',
	}),
	since: EpochMs,
	address: Type.Optional(Type.String({ description: 'in use, or being tried' })),
	protocol: Type.Optional(Type.Enum(['3.1.1', '5'])),
	lastFailure: Type.Optional(
		Type.Object({ at: EpochMs, reason: Type.String(), address: Type.Optional(Type.String()) }),
	),
	standbyFor: Type.Optional(
		Type.String({ description: 'the bridge that carries its messages, where both are part of a loop' }),
	),
	queued: Type.Integer({ minimum: 0, description: 'records the remote does not have yet' }),
	lag: Type.Number({ minimum: 0, description: 'age of the oldest of them, ms' }),
	delivered: Type.Integer({ minimum: 0, description: 'to the remote' }),
	received: Type.Integer({ minimum: 0, description: 'from the remote' }),
	echoesDropped: Count,
	duplicates: Type.Object({ sent: Count, received: Count }, { description: 'messages sent, or received, once more' }),
	out: BridgeDirection,
	in: BridgeDirection,
});

const BridgeState = Type.Pick(BridgeStatus, ['name', 'state', 'since'], { additionalProperties: false });

const Replayed = Type.Object({
	id: Type.Integer({ minimum: 0 }),
	outcome: Type.Enum(['accepted', 'refused', 'already', 'deferred', 'not_kept'], {
		description:
			'accepted: its readings are durable now; refused: for the reason given; already: accepted by an earlier replay; deferred: not for now, come again; not_kept: not all of its bytes are held',
	}),
	accepted: Type.Optional(Count),
	code: Type.Optional(Type.Enum(Object.keys(ERRORS))),
	message: Type.Optional(Type.String()),
});

const VerdictName = Type.Enum(Object.keys(VERDICTS), {
	description: Object.entries(VERDICTS)
		.map(([verdict, { means }]) => `${verdict}: ${means}`)
		.join(' '),
});

const Explanation = Type.Object({
	question: Type.Object({
		sensor: Type.Optional(Type.String()),
		topic: Type.Optional(Type.String()),
		sender: Type.Optional(Type.String()),
		id: Type.Optional(Type.String()),
	}),
	verdict: VerdictName,
	text: Type.String({ description: 'in plain words' }),
	hint: Type.String({ description: 'what to do' }),
	troubles: Type.Array(Type.String(), {
		description: "what is wrong with the gateway's connections at this moment; for admins",
	}),
	messages: Type.Array(
		Type.Object({
			at: Type.Number({ description: 'when it came in, epoch ms; 0 where nobody knows' }),
			transport: Type.Optional(TransportName),
			source: Type.Optional(Type.String({ description: 'topic, path or port' })),
			sender: Type.Optional(Type.String()),
			sensorId: Type.Optional(Type.String()),
			id: Type.Optional(Type.String({ description: 'of the reading' })),
			verdict: VerdictName,
			text: Type.String(),
			sample: Type.Optional(Type.String({ description: 'the beginning of what was sent; hex where it is not text' })),
			stages: Type.Array(
				Type.Object({
					stage: Type.Enum([
						'received',
						'decoded',
						'normalized',
						'judged',
						'stored',
						'relayed',
						'bridged',
						'delivered',
					]),
					outcome: Type.String({ description: 'ok, waiting, or why it went no further' }),
					at: Type.Optional(EpochMs),
					detail: Type.Optional(Type.String()),
				}),
			),
		}),
	),
	followedUntil: Type.Optional(EpochMs),
});

export const GATEWAY_OPERATIONS: readonly Operation[] = [
	{
		method: 'post',
		path: '/ingest',
		summary: 'Send readings',
		description:
			"One reading, an array, or NDJSON; SenML (RFC 8428); what a decoder of gateway.yaml is for. Also the short form in which the metric's own name carries the value. 202 means that all of them are on disk; anything else, that none was stored.",
		who: 'device',
		request: {
			schema: Type.Union([IncomingReading, Type.Array(IncomingReading, { minItems: 1 })]),
			types: ['application/json', 'application/x-ndjson', 'application/senml+json', 'application/senml+cbor'],
		},
		answers: { 202: { description: 'All are durable.', schema: Type.Object({ accepted: Count }) } },
		errors: ['not_decoded', 'invalid_reading', 'unknown_sensor', 'not_admitted', 'log_full', 'method_not_allowed'],
	},
	{
		method: 'get',
		path: '/gateway/devices',
		summary:
			'What is connected, which sensors are there, when each was heard last, and which of them nobody knows the place of',
		who: 'business_staff',
		answers: {
			200: {
				description: 'Those of the domains you are staff of.',
				schema: Type.Object({
					devices: Type.Array(DeviceStatus),
					sensors: Type.Array(SensorStatus),
					quarantined: Type.Array(QuarantinedSensor),
				}),
			},
		},
	},
	{
		method: 'post',
		path: '/gateway/devices/{sensorId}/adopt',
		summary: 'Give a sensor that is quarantined its place',
		description:
			"Its readings are taken from now on; those refused before are in the rejected list. Twin's registry of sensors has it shortly after. Adopting it again in the same place changes nothing.",
		who: 'business_staff',
		request: { schema: AdoptRequest },
		answers: { 200: { description: 'It is durable.', schema: SensorPlace } },
		errors: ['conflict'],
	},
	{
		method: 'post',
		path: '/gateway/devices/{sensorId}/replace',
		summary: 'Put another sensor in the place of a broken one',
		description:
			"`by` takes its room and its registration, so the room's history goes on; the old one is offline at once, its readings are refused until it is adopted or registered again, and what it said stays in history.",
		who: 'business_staff',
		request: { schema: ReplaceRequest },
		answers: {
			200: { description: 'It is durable.', schema: Type.Object({ ...SensorPlace.properties, replaces: SensorId }) },
		},
		errors: ['conflict'],
	},
	{
		method: 'post',
		path: '/gateway/devices/{sensorId}/command',
		summary: 'Send a command to a device',
		description:
			'It has exactly one outcome, on the stream `command-results`: `executed` or `failed`, as the device says, or `expired` when nobody executed it by its deadline. After that it is never executed. With `?wait` the answer is the outcome.',
		who: 'business_staff',
		query: Type.Object({
			wait: Type.Optional(Type.String({ description: 'wait for the outcome; the value does not matter' })),
		}),
		request: { schema: CommandRequest },
		answers: {
			202: { description: 'It is durable, and on its way.', schema: Type.Object({ id: Type.String() }) },
			200: { description: 'With `wait`: its outcome.', schema: CommandResult },
		},
	},
	{
		method: 'get',
		path: '/gateway/rejected',
		summary: 'What was refused, and why',
		description:
			'Those that are still open, unless `state` says otherwise. A page ends with `next` where there is more; `before` of the next request takes it.',
		who: 'business_staff',
		query: RejectedListQuery,
		answers: {
			200: {
				description:
					'The newest first, of the domains you are staff of; `counts` by transport since the gateway started.',
				schema: Type.Object({
					rejected: Type.Array(Rejection),
					next: Type.Optional(Type.Integer({ description: '`before` of the next page' })),
					counts: Type.Record(
						Type.String(),
						Type.Object({
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
						}),
					),
				}),
			},
		},
	},
	{
		method: 'get',
		path: '/gateway/config',
		summary: 'Which configuration is in force, and why not the one in gateway.yaml, where it is not',
		description:
			'A change of gateway.yaml is taken while the gateway runs, and is on trial for a minute: where an uplink, the intake or the ledger suffers, the one before is in force again by itself.',
		who: 'business_admin',
		answers: { 200: { description: 'As it is now.', schema: ConfigurationStatus } },
	},
	{
		method: 'get',
		path: '/gateway/bridges',
		summary: 'How each MQTT bridge is',
		description:
			'Where buildings of several top-level domains share the gateway, all but its state is for admins of the platform.',
		who: 'business_staff',
		answers: {
			200: {
				description: 'In the order of the configuration.',
				schema: Type.Object({ bridges: Type.Union([Type.Array(BridgeStatus), Type.Array(BridgeState)]) }),
			},
		},
	},
	{
		method: 'post',
		path: '/gateway/rooms/{buildingId}/{roomId}/correction',
		summary: 'Say how many people are in a room',
		description:
			"The room's count goes on from there: a reading of its own, `peopleCount` by the sensor `operator:<account id>`. Not for a room of which this gateway counts no door (`not_found`): where a camera says how many there are, its next reading would undo it.",
		who: 'business_staff',
		request: { schema: CorrectionRequest },
		answers: { 201: { description: 'It is on disk.', schema: Corrected } },
		errors: ['log_full'],
	},
	{
		method: 'get',
		path: '/gateway/rooms/{buildingId}/{roomId}/audit',
		summary: "Why a room's count is what it is",
		description:
			'The last changes of the count. Crossings of doors since the gateway started, 100 at most; wraps, resets, zeroings and corrections also from before, another 100.',
		who: 'business_staff',
		query: Type.Object({ limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200, description: 'default 50' })) }),
		answers: { 200: { description: 'The newest first.', schema: Type.Object({ changes: Type.Array(CountChange) }) } },
	},
	{
		method: 'post',
		path: '/gateway/rejected/replay',
		summary: 'Take refused messages in again, after what they were refused for was mended',
		description:
			'As from their sender, and at the time they came in. What is accepted counts as replayed and is not open any more; replayed once more it is left alone. What is refused again stays in the list as it is.',
		who: 'business_staff',
		request: { schema: ReplayRequest },
		answers: {
			200: {
				description: 'What became of each, in the order they had come in.',
				schema: Type.Object({ replayed: Type.Array(Replayed) }),
			},
		},
	},
	{
		method: 'get',
		path: '/gateway/trace',
		summary: "What became of a device's messages, and following them stage by stage from now on",
		description:
			'Answers about the past from what the gateway keeps, and follows what matches for `minutes` from now on: ask again to see each stage. `npm run gateway -- why` asks the same on the machine itself.',
		who: 'business_staff',
		query: TraceQuery,
		answers: { 200: { description: 'The newest message first; `verdict` and `text` are of it.', schema: Explanation } },
	},
];
