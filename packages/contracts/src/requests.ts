import Type from 'typebox';
import { Building } from './building.ts';
import { PlaceId, SensorId } from './reading.ts';
import { validator } from './validator.ts';

/** Bodies of requests to the HTTP API. */

/** `PATCH /twin/buildings/{id}`: what is left out stays as it is. */
export const BuildingChange = Type.Object(
	{
		name: Type.Optional(Building.properties.name),
		domains: Type.Optional(Building.properties.domains),
		rooms: Type.Optional(Building.properties.rooms),
	},
	{ additionalProperties: false },
);
export const buildingChange = validator(BuildingChange);

/** `POST /twin/buildings/{id}/sensors` */
export const NewSensorRequest = Type.Object({ sensorId: SensorId, roomId: PlaceId });
export const newSensorRequest = validator(NewSensorRequest);

/** `POST /llm/ask` */
export const AskRequest = Type.Object({ question: Type.String({ minLength: 1, maxLength: 2000, pattern: '\\S' }) });
export const askRequest = validator(AskRequest);

/** `subscribe` of a dashboard. */
export const SubscribeRequest = Type.Object({ buildingId: PlaceId, cursor: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })) });
export const subscribeRequest = validator(SubscribeRequest);

/** `unsubscribe` of a dashboard. */
export const UnsubscribeRequest = Type.Object({ buildingId: PlaceId });
export const unsubscribeRequest = validator(UnsubscribeRequest);

/** `renew` of a dashboard: a fresh token of the same account. */
export const RenewRequest = Type.Object({ token: Type.String({ minLength: 1, maxLength: 16_384 }) });
export const renewRequest = validator(RenewRequest);
