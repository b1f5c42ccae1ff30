import { PlaceId } from '@crowdvision/contracts';
import Type, { type Static } from 'typebox';
import { Duration, milliseconds } from '../measures.ts';
import { filled, option, withoutDefault } from '../options.ts';

/** `homeAssistant` in gateway.yaml: announcing every known sensor to Home Assistant. */
export const HomeAssistantConfig = Type.Object(
	{
		enabled: option(Type.Boolean(), false, 'announce sensors to Home Assistant'),
		prefix: option(
			Type.String({ pattern: '^[A-Za-z0-9_-]{1,64}$', description: '1..64 of A-Z a-z 0-9 _ -' }),
			'homeassistant',
			'the discovery prefix, as it is set in Home Assistant',
		),
		user: withoutDefault(
			Type.String({ minLength: 1, maxLength: 128 }),
			'device id that Home Assistant signs in with: only it may subscribe below the prefix and to the status of ' +
				'these sensors, and report that it has started; without it no client may, and a bridge has to carry them',
		),
		buildings: withoutDefault(
			Type.Array(PlaceId),
			'only announce sensors of these buildings; default: of all that have sent to this gateway',
		),
		forgetAfter: option(Duration, '30d', 'silence after which a sensor is removed from Home Assistant'),
	},
	{ additionalProperties: false, description: 'announcing every known sensor to Home Assistant (MQTT discovery)' },
);
export type HomeAssistantConfig = Static<typeof HomeAssistantConfig>;

/** The options with their defaults, durations in ms. */
export interface HomeAssistantOptions {
	enabled: boolean;
	prefix: string;
	/** Device id of Home Assistant. */
	user: string | undefined;
	/** Undefined: all. */
	buildings: readonly string[] | undefined;
	forgetAfterMs: number;
}

/** Fills in the defaults of what the configuration leaves out. */
export function homeAssistantOptions(config?: HomeAssistantConfig): HomeAssistantOptions {
	const { enabled, prefix, user, buildings, forgetAfter } = filled(HomeAssistantConfig, config);
	return { enabled, prefix, user, buildings, forgetAfterMs: milliseconds(forgetAfter) };
}
