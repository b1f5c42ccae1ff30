import Type, { type Static } from 'typebox';
import { bytes, Size } from '../measures.ts';
import { filled, option } from '../options.ts';

/** `recorder` in gateway.yaml. */
export const RecorderConfig = Type.Object(
	{
		frames: option(
			Type.Integer({ minimum: 0, maximum: 100_000 }),
			500,
			'how many of the last messages of each way in are kept in memory; 0: none',
		),
		maxBytes: option(Size, '256KiB', 'how much memory they may take, for each way in'),
		disk: option(Type.Boolean(), false, 'also write them to DATA_DIR, once a minute and when the gateway stops'),
	},
	{ additionalProperties: false, description: 'The last raw messages, for `why` and for trying out a configuration' },
);
export type RecorderConfig = Static<typeof RecorderConfig>;

/** The options with their defaults. */
export interface RecorderOptions {
	frames: number;
	maxBytes: number;
	disk: boolean;
}

/** Fills in the defaults of what the configuration leaves out. */
export function recorderOptions(config?: RecorderConfig): RecorderOptions {
	const { frames, maxBytes, disk } = filled(RecorderConfig, config);
	return { frames, maxBytes: bytes(maxBytes), disk };
}
