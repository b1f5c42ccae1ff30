/** The requests that the gateway serves, with their answers. */
import Type from 'typebox';
import { CommandRequest, CommandResult } from '../bus/command.ts';
import { MetricCombine } from '../reading/combine.ts';
import { Corrected, CorrectionRequest, CountChange, Proposal } from '../reading/count-change.ts';
import { IncomingReading } from '../reading/reading.ts';
import {
	BridgeState,
	BridgeStatus,
	ConfigurationStatus,
	DeviceList,
	Explanation,
	IngestAnswer,
	RejectedPage,
	Replayed,
	SensorPlace,
	SensorReplacement,
} from './gateway-answers.ts';
import { COUNT_CHANGES_LIMIT, RejectedListQuery, ReplayRequest, TraceQuery } from './gateway-requests.ts';
import type { Operation } from './operation.ts';
import { pageQuery } from './paging.ts';
import { AdoptRequest, ReplaceRequest } from './requests.ts';

const WHOSE_SENSOR = Type.Optional(
	Type.String({ description: 'whose sensor, where several domains have one of this id' }),
);

export const GATEWAY_OPERATIONS: readonly Operation[] = [
	{
		method: 'post',
		path: '/ingest',
		summary: 'Send readings',
		description:
			'One reading, an array or NDJSON; SenML (RFC 8428); any format with a decoder in gateway.yaml. Also the ' +
			"short form in which the metric's name is the key of the value. 202 means that the accepted readings are on " +
			'disk; any other status, that none was stored. An array is taken whole or not at all, unless `?partial=1`; of ' +
			'a message of one device with several figures what is sound is taken, and the rest is in `rejected`.',
		who: 'device',
		request: {
			schema: Type.Union([IncomingReading, Type.Array(IncomingReading, { minItems: 1 })]),
			types: ['application/json', 'application/x-ndjson', 'application/senml+json', 'application/senml+cbor'],
		},
		query: Type.Object({
			partial: Type.Optional(Type.Enum(['1'], { description: 'take what is sound of an array' })),
		}),
		answers: { 202: { description: 'What is accepted is durable.', schema: IngestAnswer } },
		errors: [
			'not_decoded',
			'invalid_reading',
			'no_value',
			'unknown_sensor',
			'not_admitted',
			'log_full',
			'method_not_allowed',
		],
	},
	{
		method: 'post',
		path: '/ingest/{name}',
		summary: "Send what a vendor's webhook sends",
		description: 'The decoder rule of gateway.yaml with this `path` reads the body, whatever its content type.',
		who: 'device',
		request: { schema: Type.Unknown({ description: 'as the rule expects it' }), types: ['*/*'] },
		answers: { 202: { description: 'What is accepted is durable.', schema: IngestAnswer } },
		errors: [
			'not_decoded',
			'invalid_reading',
			'no_value',
			'unknown_sensor',
			'not_admitted',
			'log_full',
			'method_not_allowed',
		],
	},
	{
		method: 'get',
		path: '/gateway/devices',
		summary: 'List what is connected, the sensors with the times of their latest readings, and the quarantined sensors',
		description:
			'Devices, then sensors, both by id, then quarantined sensors, the one that was first heard last first; a page ' +
			'holds parts of the three lists.',
		who: 'business_staff',
		query: Type.Object(pageQuery()),
		answers: {
			200: {
				description: 'Those of the domains in which you are staff.',
				schema: DeviceList,
			},
		},
		errors: ['bad_request', 'invalid'],
	},
	{
		method: 'post',
		path: '/gateway/devices/{sensorId}/adopt',
		summary: 'Give a quarantined sensor its place',
		description:
			"Its readings are accepted from now on; those refused before are in the rejected list. Twin's registry of " +
			'sensors contains it shortly after. Adopting it again in the same place changes nothing.',
		who: 'business_staff',
		request: { schema: AdoptRequest },
		answers: { 200: { description: 'It is durable.', schema: SensorPlace } },
		errors: ['conflict'],
	},
	{
		method: 'post',
		path: '/gateway/devices/{sensorId}/replace',
		summary: 'Replace a broken sensor by another',
		description:
			"`by` gets its room and its registration, so the room's history goes on. The old sensor is offline at once, " +
			'its readings are refused until it is adopted or registered again, and its past values stay in the history.',
		who: 'business_staff',
		query: Type.Object({ domain: WHOSE_SENSOR }),
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
			'It has exactly one outcome, on the stream `command-results`: `executed` or `failed`, as the device answers, ' +
			'or `expired` if nobody executed it by its deadline. After that it is never executed. With `?wait` the ' +
			'answer is the outcome.',
		who: 'business_staff',
		query: Type.Object({
			wait: Type.Optional(Type.String({ description: 'wait for the outcome; the value does not matter' })),
			domain: WHOSE_SENSOR,
		}),
		errors: ['conflict'],
		request: { schema: CommandRequest },
		answers: {
			202: { description: 'It is durable and on its way.', schema: Type.Object({ id: Type.String() }) },
			200: { description: 'With `wait`: its outcome.', schema: CommandResult },
		},
	},
	{
		method: 'get',
		path: '/gateway/rejected',
		summary: 'List the refused messages with the reasons',
		description:
			'The open ones, unless `state` says otherwise. If there are more, a page ends with `next`: pass it as ' +
			'`before` of the next request.',
		who: 'business_staff',
		query: RejectedListQuery,
		errors: ['bad_request'],
		answers: {
			200: {
				description:
					'Newest first, of the domains in which you are staff; `counts` by transport since the gateway started.',
				schema: RejectedPage,
			},
		},
	},
	{
		method: 'get',
		path: '/gateway/config',
		summary: 'Get the configuration in force, and why gateway.yaml is not in force if it is not',
		description:
			'A change of gateway.yaml is applied while the gateway runs, and is on trial for a minute: if an uplink, the ' +
			'intake or the ledger suffers, the previous configuration is restored.',
		who: 'business_admin',
		answers: { 200: { description: 'The present state.', schema: ConfigurationStatus } },
	},
	{
		method: 'get',
		path: '/gateway/bridges',
		summary: 'List the MQTT bridges with their states',
		description:
			'If buildings of several top-level domains share the gateway, only admins of the platform see more than the ' +
			'state.',
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
		summary: 'Correct the number of people in a room',
		description:
			"The room's count continues from there, with a reading of `peopleCount` by the sensor `operator:<account " +
			'id>`. Only for rooms whose doors this gateway counts (otherwise `not_found`): the next reading of a camera ' +
			'that reports the number of people would undo it. Where the room adds up several counters, this is what its ' +
			'doors count, to which the others are added.',
		who: 'business_staff',
		request: { schema: CorrectionRequest },
		answers: { 201: { description: 'It is durable.', schema: Corrected } },
		errors: ['log_full'],
	},
	{
		method: 'get',
		path: '/gateway/rooms/{buildingId}/{roomId}/audit',
		summary: "List the latest changes of a room's count with their causes",
		description:
			'At most 100 crossings of doors since the gateway started, and 100 other changes, such as zeroings and ' +
			'corrections, also from before.',
		who: 'business_staff',
		query: Type.Object({ limit: Type.Optional(Type.Integer(COUNT_CHANGES_LIMIT)) }),
		answers: {
			200: {
				description:
					'The newest change first; `proposals` are for staff to apply, the gateway does not. `combine`: the doors ' +
					"are one of several counters, which become the room's count so; `before` and `after` are of the doors.",
				schema: Type.Object({
					changes: Type.Array(CountChange),
					proposals: Type.Array(Proposal),
					combine: Type.Optional(MetricCombine),
				}),
			},
		},
	},
	{
		method: 'post',
		path: '/gateway/rejected/replay',
		summary: 'Replay refused messages after the reason for the refusal was corrected',
		description:
			'As if from their sender, at the time they arrived. An accepted message counts as replayed and is no longer ' +
			'open; replaying it again changes nothing. A message that is refused again stays in the list unchanged.',
		who: 'business_staff',
		request: { schema: ReplayRequest },
		answers: {
			200: {
				description: 'The result of each, in the order in which they arrived.',
				schema: Type.Object({ replayed: Type.Array(Replayed) }),
			},
		},
	},
	{
		method: 'get',
		path: '/gateway/trace',
		summary: "Explain what happened to a device's messages, and follow them from now on",
		description:
			'Explains the past from what the gateway has stored, and follows matching messages for `minutes` from now ' +
			'on: ask again to see each stage. `npm run gateway -- why` does the same on the machine itself.',
		who: 'business_staff',
		query: TraceQuery,
		errors: ['conflict'],
		answers: {
			200: { description: 'The newest message first; `verdict` and `text` are about it.', schema: Explanation },
		},
	},
];
