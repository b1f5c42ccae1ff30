import Type from 'typebox';
import { Building, Room } from '../building/building.ts';
import { ThresholdSet } from '../building/thresholds.ts';
import { unseenProblem } from '../names/names.ts';
import { RoomCombine } from '../reading/combine.ts';
import { METRIC_KEY } from '../reading/metric-catalog.ts';
import { PlaceId, SENSOR_ID, SensorId } from '../reading/reading.ts';
import { checked, validator } from '../validator.ts';

/** Bodies of requests to the HTTP API. */

/** How a time is written in a request, as the predicate of a sentence. */
export const TIME_IN_QUERY =
	'epoch ms, or a time such as 2026-11-22T10:00:00+01:00 (RFC 3339); without a zone it is UTC';
/** Longer texts are no times. */
export const MAX_TIME_LENGTH = 100;

/** `PATCH /twin/buildings/{id}`: omitted fields stay unchanged. */
export const BuildingChange = Type.Object(
	{
		name: Type.Optional(Building.properties.name),
		domains: Type.Optional(Building.properties.domains),
		timeZone: Type.Optional(Building.properties.timeZone),
		rooms: Type.Optional(Building.properties.rooms),
	},
	{ additionalProperties: false },
);
export const buildingChange = validator(BuildingChange);

/** `PATCH /twin/buildings/{id}/rooms/{roomId}`: omitted fields stay unchanged. */
export const RoomChange = Type.Object(
	{
		name: Type.Optional(Room.properties.name),
		capacity: Type.Optional(Room.properties.capacity),
		color: Type.Optional(Room.properties.color),
		combine: Type.Optional(
			Type.Union([RoomCombine, Type.Null()], { description: "replaces the room's; null: as the catalog says" }),
		),
		thresholds: Type.Optional(
			Type.Union([ThresholdSet, Type.Null()], {
				description: "replaces the building's set; null: the building's set applies again",
			}),
		),
	},
	{ additionalProperties: false },
);
export const roomChange = validator(RoomChange);

/** `PUT /twin/buildings/{id}/columns` */
export const ColumnsRequest = Type.Object(
	{
		columns: Type.Array(Type.String({ pattern: METRIC_KEY, description: 'a metric of the catalog' }), {
			uniqueItems: true,
			maxItems: 256,
		}),
	},
	{ additionalProperties: false },
);
export const columnsRequest = validator(ColumnsRequest);

/** How often a sensor speaks. */
export const CadenceSeconds = Type.Integer({
	minimum: 1,
	maximum: 86_400,
	description: 'how often the sensor speaks, in seconds; left out: the gateway learns it',
});

/** `POST /twin/buildings/{id}/sensors` */
export const NewSensorRequest = Type.Object({
	sensorId: SensorId,
	roomId: PlaceId,
	cadenceSeconds: Type.Optional(Type.Union([CadenceSeconds, Type.Null({ description: 'learnt again' })])),
});
export const newSensorRequest = checked(validator(NewSensorRequest), ({ roomId }) => [
	{ path: '/roomId', message: unseenProblem(roomId) },
]);

/** `POST /gateway/devices/{sensorId}/adopt` */
export const AdoptRequest = Type.Object({ buildingId: PlaceId, roomId: PlaceId }, { additionalProperties: false });
export const adoptRequest = validator(AdoptRequest);

/** `POST /gateway/devices/{sensorId}/replace` */
export const ReplaceRequest = Type.Object(
	{
		by: Type.String({
			pattern: SENSOR_ID,
			description: 'the sensor that replaces it: 1..128 of A-Z a-z 0-9 . _ : -',
		}),
	},
	{ additionalProperties: false },
);
export const replaceRequest = validator(ReplaceRequest);

/** `POST /llm/ask` */
export const AskRequest = Type.Object({
	question: Type.String({ minLength: 1, maxLength: 2000, pattern: '\\S' }),
	conversationId: Type.Optional(
		Type.String({
			minLength: 1,
			maxLength: 64,
			description: 'one of your own conversations to continue; default: a new one',
		}),
	),
});
export const askRequest = validator(AskRequest);

/** `subscribe` of a dashboard. */
export const SubscribeRequest = Type.Object({
	buildingId: PlaceId,
	cursor: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
});
export const subscribeRequest = validator(SubscribeRequest);

/** `unsubscribe` of a dashboard. */
export const UnsubscribeRequest = Type.Object({ buildingId: PlaceId });
export const unsubscribeRequest = validator(UnsubscribeRequest);

/** `renew` of a dashboard: a fresh token of the same account. */
export const RenewRequest = Type.Object({ token: Type.String({ minLength: 1, maxLength: 16_384 }) });
export const renewRequest = validator(RenewRequest);
