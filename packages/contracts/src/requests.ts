import Type, { type Static } from 'typebox';
import { Building, DomainName } from './building.ts';
import { PlaceId, SensorId } from './reading.ts';
import { validator } from './validator.ts';

/** Bodies of requests to the HTTP API. */

const Email = Type.String({ pattern: '^[^\\s@]{1,64}@[^\\s@]{1,189}$', description: 'an e-mail address' });
/** Longer ones cost time to hash, and no person has them. */
const MOST_PASSWORD = 1024;

/** `POST /auth/register` */
export const RegisterRequest = Type.Object({
	email: Email,
	password: Type.String({ minLength: 8, maxLength: MOST_PASSWORD }),
	name: Type.String({ minLength: 1, maxLength: 200, pattern: '\\S' }),
});
export type RegisterRequest = Static<typeof RegisterRequest>;
export const registerRequest = validator(RegisterRequest);

/** `POST /auth/login` */
export const LoginRequest = Type.Object({
	email: Type.String({ minLength: 1, maxLength: 254 }),
	password: Type.String({ minLength: 1, maxLength: MOST_PASSWORD }),
});
export const loginRequest = validator(LoginRequest);

/** `POST /auth/domains` */
export const NewDomainRequest = Type.Object({ name: DomainName });
export const newDomainRequest = validator(NewDomainRequest);

/** `POST /auth/domains/{name}/devices` */
export const NewDeviceRequest = Type.Object({
	name: Type.String({ minLength: 1, maxLength: 200 }),
	buildingId: Type.Optional(PlaceId),
	sensorIds: Type.Optional(Type.Array(SensorId, { minItems: 1, maxItems: 1000 })),
});
export const newDeviceRequest = validator(NewDeviceRequest);

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
