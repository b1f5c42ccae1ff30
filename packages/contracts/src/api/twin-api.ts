/** The requests that twin serves, with their answers. */
import Type from 'typebox';
import { Building, Room } from '../building/building.ts';
import { ThresholdSet, Thresholds } from '../building/thresholds.ts';
import { CombinedView, MetricCombine } from '../reading/combine.ts';
import { FRESHNESSES } from '../reading/freshness.ts';
import { METRIC_KEY, METRIC_KINDS } from '../reading/metric-catalog.ts';
import { METRIC_KEYS, METRICS } from '../reading/metrics.ts';
import { TRANSPORTS } from '../reading/reading.ts';
import { AGGREGATES, HISTORY_DEFAULTS } from './http.ts';
import type { Operation } from './operation.ts';
import { pageOf, pageQuery } from './paging.ts';
import {
	BuildingChange,
	CadenceSeconds,
	ColumnsRequest,
	NewSensorRequest,
	RoomChange,
	TIME_IN_QUERY,
} from './requests.ts';

const EpochMs = Type.Number({ description: 'epoch ms' });
const Metric = Type.String({ pattern: METRIC_KEY, description: 'a metric of the catalog: GET /twin/metrics' });
const TransportName = Type.Enum([...TRANSPORTS]);

const BuildingView = Type.Object({
	id: Type.String(),
	name: Type.String(),
	domains: Type.Array(Type.String()),
	timeZone: Type.Optional(Type.String({ description: 'IANA name; default UTC' })),
	rooms: Type.Array(Room),
});
const RoomView = Type.Object({ ...Room.properties, thresholds: Type.Optional(ThresholdSet) });

const SensorNameView = Type.String({ description: 'how people call the sensor, where its id does not say it' });
const ClippedView = Type.Literal(true, {
	description: 'a sensor sent a little more than there can be, and the value is the upper limit',
});
const SensorValueView = Type.Object({
	sensorId: Type.String(),
	sensorName: Type.Optional(SensorNameView),
	value: Type.Number(),
	clipped: Type.Optional(ClippedView),
	low: Type.Optional(
		Type.Number({ description: 'if value is a count made of crossings: the true count is between low and high' }),
	),
	high: Type.Optional(Type.Number()),
	observedAt: EpochMs,
	freshFor: Type.Optional(
		Type.Number({ description: 'how long it counts as current, in ms, by how often the sensor speaks' }),
	),
	unchangedSince: Type.Optional(EpochMs),
	offlineAt: Type.Optional(EpochMs),
	transport: Type.Optional(TransportName),
});
const LatestView = Type.Object({
	...SensorValueView.properties,
	unit: Type.String(),
	freshness: Type.Enum(FRESHNESSES.filter((one) => one !== 'no-data')),
	freshUntil: EpochMs,
	stale: Type.Boolean({ description: 'true unless it is live or stuck' }),
	sensors: Type.Optional(Type.Array(SensorValueView)),
	combined: Type.Optional(CombinedView),
});

const RegisteredSensor = Type.Object({
	sensorId: Type.String(),
	buildingId: Type.String(),
	roomId: Type.String(),
	cadenceSeconds: Type.Optional(CadenceSeconds),
});

const ListedSensor = Type.Object({
	...Type.Omit(RegisteredSensor, ['buildingId']).properties,
	sensorName: Type.Optional(SensorNameView),
});

const Count = Type.Integer({ minimum: 0 });
const PerMetric = Object.fromEntries(METRIC_KEYS.map((key) => [key, Type.Optional(LatestView)]));

const BUILDINGS: readonly Operation[] = [
	{
		method: 'get',
		path: '/twin/buildings',
		summary: 'List the buildings of my domains',
		who: 'account',
		query: Type.Object(pageQuery()),
		answers: { 200: { description: 'Ordered by id.', schema: pageOf('buildings', BuildingView) } },
		errors: ['bad_request', 'invalid'],
	},
	{
		method: 'post',
		path: '/twin/buildings',
		summary: 'Add a building',
		description:
			'Stored as a whole, or refused with the path of each mistake. Without `domains` it belongs to the one domain ' +
			'that you administer.',
		who: 'business_admin',
		request: {
			schema: Type.Object(Building.properties, {
				additionalProperties: false,
				description: 'a building JSON; see docs/building.schema.json',
			}),
		},
		answers: { 201: { description: 'Added.', schema: BuildingView } },
		errors: ['conflict'],
	},
	{
		method: 'get',
		path: '/twin/buildings/{id}',
		summary: 'Get a building',
		who: 'member',
		answers: { 200: { description: 'The building; `ETag` is its version.', schema: BuildingView } },
	},
	{
		method: 'patch',
		path: '/twin/buildings/{id}',
		summary: 'Change a building',
		description: 'Omitted fields stay unchanged. Sensors of removed rooms are no longer registered.',
		who: 'business_admin',
		request: { schema: BuildingChange },
		answers: { 200: { description: 'The new state.', schema: BuildingView } },
		errors: ['conflict', 'changed_meanwhile'],
	},
	{
		method: 'delete',
		path: '/twin/buildings/{id}',
		summary: 'Remove a building with its sensors and its history',
		who: 'business_admin',
		answers: { 204: { description: 'Removed.' } },
		errors: ['conflict', 'changed_meanwhile'],
	},
	{
		method: 'patch',
		path: '/twin/buildings/{id}/rooms/{roomId}',
		summary: 'Change a room: name, capacity, colour, thresholds, how its counters are combined',
		who: 'business_staff',
		request: { schema: RoomChange },
		answers: { 200: { description: 'The new state.', schema: RoomView } },
		errors: ['conflict', 'changed_meanwhile'],
	},
];

const VALUES: readonly Operation[] = [
	{
		method: 'get',
		path: '/twin/buildings/{id}/state',
		summary: 'Get the present values of every room',
		description:
			'A metric that was never measured is absent: no data is not 0. Continue from `cursor` over Socket.IO to miss ' +
			'nothing.',
		who: 'member',
		answers: {
			200: {
				description: 'As of `cursor`.',
				schema: Type.Object({
					cursor: Type.String(),
					rooms: Type.Record(
						Type.String(),
						Type.Object({
							values: Type.Object(PerMetric, { additionalProperties: LatestView }),
							occupancy: Type.Optional(Type.String()),
						}),
					),
				}),
			},
		},
	},
	{
		method: 'get',
		path: '/twin/buildings/{id}/history',
		summary: 'Get past values',
		who: 'member',
		query: Type.Object({
			room: Type.Optional(Type.String({ description: 'default: all rooms of the building together' })),
			metric: Metric,
			sensor: Type.Optional(Type.String()),
			from: Type.Optional(Type.String({ description: `${TIME_IN_QUERY}; default: 24 hours before \`to\`` })),
			to: Type.Optional(Type.String({ description: `excluded; ${TIME_IN_QUERY}; default: now` })),
			bucket: Type.Optional(
				Type.String({
					description: "such as 1m, 1h, 1d; days are those of the building's time zone",
					default: HISTORY_DEFAULTS.bucket,
				}),
			),
			agg: Type.Optional(Type.Enum([...AGGREGATES], { default: HISTORY_DEFAULTS.agg })),
		}),
		answers: {
			200: {
				description: 'One point per bucket; null if nothing is known. `combine`: the room combines its counters so.',
				schema: Type.Object({
					combine: Type.Optional(MetricCombine),
					points: Type.Array(
						Type.Object({
							at: EpochMs,
							value: Type.Union([Type.Number(), Type.Null()]),
							coverage: Type.Number({ minimum: 0, maximum: 1 }),
							incomplete: Type.Optional(
								Type.Number({
									minimum: 0,
									maximum: 1,
									description: 'share of the bucket in which a sum lacked counters that were silent',
								}),
							),
							clipped: Type.Optional(ClippedView),
						}),
					),
				}),
			},
		},
	},
	{
		method: 'get',
		path: '/twin/buildings/{id}/export',
		summary: 'Download past values as CSV',
		description:
			'Every sample as it was received, by room, sensor and time, streamed. A line without a value says that the ' +
			'value before it was no longer current from then on.',
		who: 'member',
		query: Type.Object({
			room: Type.Optional(Type.String({ description: 'default: all rooms of the building' })),
			metric: Metric,
			from: Type.Optional(Type.String({ description: 'epoch ms or ISO 8601; default: 24 hours before `to`' })),
			to: Type.Optional(Type.String({ description: 'excluded; default: now' })),
		}),
		answers: {
			200: {
				description:
					"CSV (RFC 4180): `at,room,sensor,value,unit`. Texts that a spreadsheet would compute begin with `'`.",
				schema: Type.String(),
				type: 'text/csv',
			},
		},
	},
	{
		method: 'get',
		path: '/twin/metrics',
		summary: 'Get the metric catalog',
		who: 'anyone',
		answers: {
			200: {
				description: 'By key.',
				schema: Type.Object({
					metrics: Type.Record(
						Type.String(),
						Type.Object({
							unit: Type.String(),
							min: Type.Number(),
							max: Type.Number(),
							decimals: Count,
							label: Type.Record(Type.String(), Type.String(), { examples: [METRICS.peopleCount.label] }),
							combine: Type.String({
								description: 'how the sensors of a room become one value: mean, max, sum or last',
							}),
							kind: Type.Optional(Type.Enum(METRIC_KINDS.filter((kind) => kind !== 'gauge'))),
							retired: Type.Optional(
								Type.Boolean({ description: 'no gateway measures it any more; its history remains' }),
							),
						}),
					),
				}),
			},
		},
	},
];

const SETTINGS: readonly Operation[] = [
	{
		method: 'get',
		path: '/twin/buildings/{id}/thresholds',
		summary: 'Get the limits of a building and its rooms',
		who: 'business_staff',
		answers: { 200: { description: "A room's own set replaces the building's set.", schema: Thresholds } },
	},
	{
		method: 'put',
		path: '/twin/buildings/{id}/thresholds',
		summary: 'Replace the limits',
		who: 'business_staff',
		request: { schema: Thresholds },
		answers: { 200: { description: 'The new state.', schema: Thresholds } },
		errors: ['conflict', 'changed_meanwhile'],
	},
	{
		method: 'get',
		path: '/twin/buildings/{id}/columns',
		summary: 'Get the metrics that the dashboard shows of a room, in order',
		who: 'member',
		answers: { 200: { description: 'Metrics of the catalog.', schema: Type.Object({ columns: Type.Array(Metric) }) } },
	},
	{
		method: 'put',
		path: '/twin/buildings/{id}/columns',
		summary: 'Choose the metrics that the dashboard shows',
		who: 'business_staff',
		request: { schema: ColumnsRequest },
		answers: { 200: { description: 'The new state.', schema: Type.Object({ columns: Type.Array(Metric) }) } },
		errors: ['conflict', 'changed_meanwhile'],
	},
	{
		method: 'get',
		path: '/twin/buildings/{id}/sensors',
		summary: 'List the registered sensors with their rooms',
		who: 'business_staff',
		query: Type.Object(pageQuery()),
		answers: {
			200: { description: 'Ordered by id.', schema: pageOf('sensors', ListedSensor) },
		},
		errors: ['bad_request', 'invalid'],
	},
	{
		method: 'post',
		path: '/twin/buildings/{id}/sensors',
		summary: 'Register a sensor, or move it within its building',
		description:
			'Its readings may then omit building and room. `cadenceSeconds` is how often it sends, and decides how long ' +
			'its values count as current; omitted it stays as it is, and null lets the gateway learn it. Its id belongs to ' +
			'the top-level domains of the building: 409 if another building of them has a sensor of this id.',
		who: 'business_staff',
		request: { schema: NewSensorRequest },
		answers: {
			201: { description: 'Registered.', schema: RegisteredSensor },
		},
		errors: ['conflict', 'changed_meanwhile'],
	},
	...['/twin/buildings/{id}/sensors/{sensorId}', '/twin/buildings/{id}/sensors'].map(
		(path): Operation => ({
			method: 'delete',
			path,
			summary: path.endsWith('}') ? 'Remove a sensor from the registry' : 'The same, with the sensor as ?sensorId=',
			who: 'business_staff',
			...(!path.endsWith('}') && { query: Type.Object({ sensorId: Type.String() }) }),
			answers: { 204: { description: 'Removed.' } },
			errors: ['bad_request', 'conflict'],
		}),
	),
];

export const TWIN_OPERATIONS: readonly Operation[] = [...BUILDINGS, ...VALUES, ...SETTINGS];
