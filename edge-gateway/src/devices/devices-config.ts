import { METRIC_KEYS } from '@crowdvision/contracts';
import Type, { type Static } from 'typebox';
import { Duration } from '../measures.ts';

const Patterns = (description: string) =>
	Type.Optional(Type.Array(Type.String({ minLength: 1, maxLength: 256 }), { maxItems: 1000, description }));

/** `devices` in gateway.yaml: which devices and sensors may send, and when a silent one counts as offline. */
export const DevicesConfig = Type.Object(
	{
		allow: Patterns('ids of sensors or devices that may send; * stands for any characters, ? for one; default: all'),
		timeouts: Type.Optional(
			Type.Object(Object.fromEntries(['default', ...METRIC_KEYS].map((key) => [key, Type.Optional(Duration)])), {
				additionalProperties: false,
				description:
					'silence after which a sensor counts as offline, by what it measures; `default`: for every metric that is ' +
					'not named; without either, three times as long as its values are fresh: 15m, battery 3h',
			}),
		),
		deny: Patterns('ids of sensors or devices that may not send, even where `allow` names them; default: none'),
	},
	{ additionalProperties: false, description: 'devices and their sensors' },
);
export type DevicesConfig = Static<typeof DevicesConfig>;
