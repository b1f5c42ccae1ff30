import Type, { type Static } from 'typebox';
import { Duration as AnyDuration } from '../measures.ts';

const Duration = (description: string) => Type.Optional({ ...AnyDuration, description });

/** `clock` in gateway.yaml. */
export const ClockConfig = Type.Object(
	{
		waitFor: Duration(
			'how long readings are held back at most while the time is not known (started in 1970, waiting for NTP), so that they leave with the right one; ' +
				'they are stored and acknowledged at once all the same. Default 10m; 0s holds nothing back',
		),
		holdover: Duration(
			'how long the gateway goes by its own clock after the system clock was set back and nothing says that this was right; then it believes it. Default 24h',
		),
	},
	{ additionalProperties: false },
);
export type ClockConfig = Static<typeof ClockConfig>;

/** In ms. */
export interface ClockOptions {
	waitForMs: number;
	holdoverMs: number;
}

export const CLOCK_DEFAULTS: ClockOptions = { waitForMs: 600_000, holdoverMs: 24 * 3600_000 };
