import { PlaceId } from '@crowdvision/contracts';
import Type, { type Static } from 'typebox';
import { Duration } from '../measures.ts';

/** `homeAssistant:` of gateway.yaml: telling Home Assistant of every known sensor. */
export const HomeAssistantConfig = Type.Object(
	{
		enabled: Type.Optional(Type.Boolean({ description: 'default false' })),
		prefix: Type.Optional(
			Type.String({
				pattern: '^[A-Za-z0-9_-]{1,64}$',
				description: '1..64 of A-Z a-z 0-9 _ -; as in Home Assistant; default homeassistant',
			}),
		),
		user: Type.Optional(
			Type.String({
				minLength: 1,
				maxLength: 128,
				description:
					'device id that Home Assistant signs in with: it alone may listen below the prefix and to the status of these sensors, and say that it has started; without it nobody here may, and a bridge has to carry it',
			}),
		),
		buildings: Type.Optional(
			Type.Array(PlaceId, {
				description: 'only sensors of these buildings; default: of all that this gateway has heard of',
			}),
		),
		forgetAfter: Type.Optional(
			Type.String({
				...Duration,
				description:
					'a duration such as 30d: a sensor of which nothing was heard for so long is removed there; default 30d',
			}),
		),
	},
	{ additionalProperties: false, description: 'telling Home Assistant of every known sensor (MQTT discovery)' },
);
export type HomeAssistantConfig = Static<typeof HomeAssistantConfig>;
