import { CobsFraming } from '../framing/cobs-framing.ts';
import { CsvFraming } from '../framing/csv-framing.ts';
import type { FrameListener, Framing } from '../framing/framing.ts';
import { JsonLineFraming } from '../framing/json-line-framing.ts';
import type { SerialConfig } from './serial-config.ts';

const DEFAULT_LONGEST_FRAME = 64 * 1024;

type FramingConfig = Pick<SerialConfig, 'framing' | 'checksum' | 'csv' | 'longestFrame'>;

/** The framings by their name in gateway.yaml. */
const FRAMINGS: Record<
	NonNullable<SerialConfig['framing']>,
	(config: FramingConfig, limit: number, listener: FrameListener) => Framing
> = {
	jsonl: ({ checksum = false }, limit, listener) => new JsonLineFraming(limit, checksum, listener),
	csv: ({ checksum = false, csv = {} }, limit, listener) => new CsvFraming(limit, checksum, csv, listener),
	cobs: (_config, limit, listener) => new CobsFraming(limit, listener),
};

/** Creates the framing that `config` names, for one opening of a port. */
export function createFraming(config: FramingConfig, listener: FrameListener): Framing {
	return FRAMINGS[config.framing ?? 'jsonl'](config, config.longestFrame ?? DEFAULT_LONGEST_FRAME, listener);
}
