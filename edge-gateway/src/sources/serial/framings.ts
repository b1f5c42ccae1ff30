/** Creates the framing that a port is configured for. */
import { filled } from '../../options.ts';
import { CobsFraming } from '../framing/cobs-framing.ts';
import { CsvFraming } from '../framing/csv-framing.ts';
import type { FrameListener, Framing } from '../framing/framing.ts';
import { JsonLineFraming } from '../framing/json-line-framing.ts';
import { csvOptions, SerialConfig } from './serial-config.ts';

type FramingConfig = Pick<SerialConfig, 'framing' | 'checksum' | 'csv' | 'longestFrame'>;

const withDefaults = (config: FramingConfig) => filled(SerialConfig, config);

/** The framings by their name in gateway.yaml. */
const FRAMINGS: Record<
	NonNullable<SerialConfig['framing']>,
	(config: ReturnType<typeof withDefaults>, listener: FrameListener) => Framing
> = {
	jsonl: ({ longestFrame, checksum }, listener) => new JsonLineFraming(longestFrame, checksum, listener),
	csv: ({ longestFrame, checksum, csv }, listener) => new CsvFraming(longestFrame, checksum, csvOptions(csv), listener),
	cobs: ({ longestFrame }, listener) => new CobsFraming(longestFrame, listener),
};

/** Creates the framing that `config` names, for one opening of a port. */
export function createFraming(config: FramingConfig, listener: FrameListener): Framing {
	const whole = withDefaults(config);
	return FRAMINGS[whole.framing](whole, listener);
}
