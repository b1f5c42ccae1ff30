import Type from 'typebox';
import { Room } from '../building/building.ts';
import { ThresholdSet, Thresholds } from '../building/thresholds.ts';
import { FRESHNESSES } from '../reading/freshness.ts';
import { METRIC_KEYS, METRICS } from '../reading/metrics.ts';
import { TRANSPORTS } from '../reading/reading.ts';
import { AGGREGATES, HISTORY_DEFAULTS } from './http.ts';
import type { Operation } from './operation.ts';
import { BuildingChange, ColumnsRequest, NewSensorRequest, RoomChange } from './requests.ts';

const EpochMs = Type.Number({ description: 'epoch ms' });
const Metric = Type.Enum(METRIC_KEYS);
const TransportName = Type.Enum([...TRANSPORTS]);

const BuildingView = Type.Object({
	id: Type.String(),
	name: Type.String(),
	domains: Type.Array(Type.String()),
	timeZone: Type.Optional(Type.String({ description: 'IANA name; UTC where it is left out' })),
	rooms: Type.Array(Room),
});
const RoomView = Type.Object({ ...Room.properties, thresholds: Type.Optional(ThresholdSet) });

const SensorSaid = Type.Object({
	sensorId: Type.String(),
	value: Type.Number(),
	low: Type.Optional(
		Type.Number({ description: 'between low and high lies the truth, where value is a count made of crossings' }),
	),
	high: Type.Optional(Type.Number()),
	observedAt: EpochMs,
	unchangedSince: Type.Optional(EpochMs),
	offlineAt: Type.Optional(EpochMs),
	transport: Type.Optional(TransportName),
});
const LatestView = Type.Object({
	...SensorSaid.properties,
	unit: Type.String(),
	freshness: Type.Enum(FRESHNESSES.filter((one) => one !== 'no-data')),
	freshUntil: EpochMs,
	stale: Type.Boolean({ description: 'true for anything but live and stuck' }),
	sensors: Type.Optional(Type.Array(SensorSaid)),
});

const Count = Type.Integer({ minimum: 0 });
const PerMetric = Object.fromEntries(METRIC_KEYS.map((key) => [key, Type.Optional(LatestView)]));

const BUILDINGS: readonly Operation[] = [
	{
		method: 'get',
		path: '/twin/buildings',
		summary: 'The buildings of my domains',
		who: 'account',
		answers: { 200: { description: 'By id.', schema: Type.Object({ buildings: Type.Array(BuildingView) }) } },
	},
	{
		method: 'post',
		path: '/twin/buildings',
		summary: 'Add a building',
		description:
			'Taken whole or refused whole, with the path of each mistake. Without `domains` it belongs to the one domain you administer.',
		who: 'business_admin',
		request: { schema: Type.Object({}, { description: 'a building JSON; see docs/building.schema.json' }) },
		answers: { 201: { description: 'Added.', schema: BuildingView } },
		errors: ['conflict'],
	},
	{
		method: 'get',
		path: '/twin/buildings/{id}',
		summary: 'One building',
		who: 'member',
		answers: { 200: { description: 'As it is; `ETag` is its version.', schema: BuildingView } },
	},
	{
		method: 'patch',
		path: '/twin/buildings/{id}',
		summary: 'Change a building',
		description: 'What is left out stays as it is. Sensors of rooms that are no more are no longer registered.',
		who: 'business_admin',
		request: { schema: BuildingChange },
		answers: { 200: { description: 'As it is now.', schema: BuildingView } },
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
		summary: 'Change a room: name, capacity, colour, thresholds',
		who: 'business_staff',
		request: { schema: RoomChange },
		answers: { 200: { description: 'As it is now.', schema: RoomView } },
		errors: ['conflict', 'changed_meanwhile'],
	},
];

const VALUES: readonly Operation[] = [
	{
		method: 'get',
		path: '/twin/buildings/{id}/state',
		summary: 'How things stand in every room',
		description:
			'A metric that nobody measured is absent: no data is not 0. Go on from `cursor` over Socket.IO, and nothing is missed.',
		who: 'member',
		answers: {
			200: {
				description: 'True at `cursor`.',
				schema: Type.Object({
					cursor: Type.String(),
					rooms: Type.Record(
						Type.String(),
						Type.Object({ values: Type.Object(PerMetric), occupancy: Type.Optional(Type.String()) }),
					),
				}),
			},
		},
	},
	{
		method: 'get',
		path: '/twin/buildings/{id}/history',
		summary: 'How things were',
		who: 'member',
		query: Type.Object({
			room: Type.Optional(Type.String({ description: 'default: all rooms of the building together' })),
			metric: Metric,
			sensor: Type.Optional(Type.String()),
			from: Type.Optional(Type.String({ description: 'epoch ms or ISO 8601; default: 24 hours before `to`' })),
			to: Type.Optional(Type.String({ description: 'not included; default: now' })),
			bucket: Type.Optional(
				Type.String({
					description: "such as 1m, 1h, 1d; days are of the building's time zone",
					default: HISTORY_DEFAULTS.bucket,
				}),
			),
			agg: Type.Optional(Type.Enum([...AGGREGATES], { default: HISTORY_DEFAULTS.agg })),
		}),
		answers: {
			200: {
				description: 'One point per bucket; null where nothing is known.',
				schema: Type.Object({
					points: Type.Array(
						Type.Object({
							at: EpochMs,
							value: Type.Union([Type.Number(), Type.Null()]),
							coverage: Type.Number({ minimum: 0, maximum: 1 }),
						}),
					),
				}),
			},
		},
	},
	{
		method: 'get',
		path: '/twin/metrics',
		summary: 'The metric catalog',
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
		summary: 'The limits of a building and its rooms',
		who: 'business_staff',
		answers: { 200: { description: "A room's own set stands in the place of the building's.", schema: Thresholds } },
	},
	{
		method: 'put',
		path: '/twin/buildings/{id}/thresholds',
		summary: 'Replace them',
		who: 'business_staff',
		request: { schema: Thresholds },
		answers: { 200: { description: 'As they are now.', schema: Thresholds } },
		errors: ['conflict', 'changed_meanwhile'],
	},
	{
		method: 'get',
		path: '/twin/buildings/{id}/columns',
		summary: 'What the dashboard shows of a room, in this order',
		who: 'member',
		answers: { 200: { description: 'Metrics of the catalog.', schema: Type.Object({ columns: Type.Array(Metric) }) } },
	},
	{
		method: 'put',
		path: '/twin/buildings/{id}/columns',
		summary: 'Choose them',
		who: 'business_staff',
		request: { schema: ColumnsRequest },
		answers: { 200: { description: 'As they are now.', schema: Type.Object({ columns: Type.Array(Metric) }) } },
		errors: ['conflict', 'changed_meanwhile'],
	},
	{
		method: 'get',
		path: '/twin/buildings/{id}/sensors',
		summary: 'Which sensor stands in which room',
		who: 'business_staff',
		answers: {
			200: {
				description: 'By id.',
				schema: Type.Object({ sensors: Type.Array(Type.Object({ sensorId: Type.String(), roomId: Type.String() })) }),
			},
		},
	},
	{
		method: 'post',
		path: '/twin/buildings/{id}/sensors',
		summary: 'Register a sensor, or move it within its building',
		description: 'What lets its readings leave building and room out.',
		who: 'business_staff',
		request: { schema: NewSensorRequest },
		answers: {
			201: {
				description: 'Registered.',
				schema: Type.Object({ sensorId: Type.String(), buildingId: Type.String(), roomId: Type.String() }),
			},
		},
		errors: ['conflict', 'changed_meanwhile'],
	},
	...['/twin/buildings/{id}/sensors/{sensorId}', '/twin/buildings/{id}/sensors'].map(
		(path): Operation => ({
			method: 'delete',
			path,
			summary: path.endsWith('}') ? 'Take a sensor out of the registry' : 'The same, with the sensor as ?sensorId=',
			who: 'business_staff',
			...(!path.endsWith('}') && { query: Type.Object({ sensorId: Type.String() }) }),
			answers: { 204: { description: 'Gone.' } },
			errors: ['bad_request', 'conflict'],
		}),
	),
];

export const TWIN_OPERATIONS: readonly Operation[] = [...BUILDINGS, ...VALUES, ...SETTINGS];
