import { escapeKey, METRIC_KEYS, type Problem } from '@crowdvision/contracts';
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
				additionalProperties: Duration,
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

/** Timeouts of metrics that nobody defines. `devices` need not be valid against the schema. */
export function timeoutProblems(devices: unknown, metricKeys: readonly string[]): Problem[] {
	const timeouts = (devices as { timeouts?: unknown } | null | undefined)?.timeouts;
	if (typeof timeouts !== 'object' || timeouts === null) return [];
	const known = ['default', ...metricKeys];
	return Object.keys(timeouts)
		.filter((key) => !known.includes(key))
		.map((key) => ({
			path: `/devices/timeouts/${escapeKey(key)}`,
			message: `is not known here; known are ${known.join(', ')}`,
		}));
}
