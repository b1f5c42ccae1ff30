import Type, { type Static } from 'typebox';
import { Duration, milliseconds } from '../measures.ts';
import { filled, option } from '../options.ts';

/** `clock` in gateway.yaml. */
export const ClockConfig = Type.Object(
	{
		waitFor: option(
			Duration,
			'10m',
			'how long readings are held back at most while the time is not known (started in 1970, waiting for NTP), so ' +
				'that they leave with the right time; they are stored and acknowledged at once all the same; 0s holds ' +
				'nothing back',
		),
		holdover: option(
			Duration,
			'24h',
			'how long the gateway keeps its own time after the system clock was set back without a proof that this was ' +
				'right; then it follows the system clock',
		),
	},
	{ additionalProperties: false, description: "the gateway's own clock" },
);
export type ClockConfig = Static<typeof ClockConfig>;

/** In ms. */
export interface ClockOptions {
	waitForMs: number;
	holdoverMs: number;
}

/** The options in ms, with the defaults of what the configuration leaves out. */
export function clockOptions(config?: ClockConfig): ClockOptions {
	const { waitFor, holdover } = filled(ClockConfig, config);
	return { waitForMs: milliseconds(waitFor), holdoverMs: milliseconds(holdover) };
}
