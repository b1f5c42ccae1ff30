import Type from 'typebox';
import { CommandRequest, CommandResult } from '../bus/command.ts';
import { Corrected, CorrectionRequest, CountChange } from '../reading/count-change.ts';
import { IncomingReading } from '../reading/reading.ts';
import {
	BridgeState,
	BridgeStatus,
	ConfigurationStatus,
	DeviceList,
	Explanation,
	RejectedPage,
	Replayed,
	SensorPlace,
	SensorReplacement,
} from './gateway-answers.ts';
import { RejectedListQuery, ReplayRequest, TraceQuery } from './gateway-requests.ts';
import type { Operation } from './operation.ts';
import { AdoptRequest, ReplaceRequest } from './requests.ts';

const Count = Type.Integer({ minimum: 0 });

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
				schema: DeviceList,
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
			200: { description: 'It is durable.', schema: SensorReplacement },
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
				schema: RejectedPage,
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
