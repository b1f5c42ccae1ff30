import Type, { type Static } from 'typebox';
import { bytes, Size } from '../measures.ts';

/** `recorder` in gateway.yaml. */
export const RecorderConfig = Type.Object(
	{
		frames: Type.Optional(
			Type.Integer({
				minimum: 0,
				maximum: 100_000,
				description: 'how many of the last messages of each way in are kept in memory; 0: none. Default 500',
			}),
		),
		maxBytes: Type.Optional({ ...Size, title: 'how many bytes of them, for each way in', default: '256KiB' }),
		disk: Type.Optional(
			Type.Boolean({
				description: 'whether they are written to DATA_DIR too, once a minute and at the end. Default false',
			}),
		),
	},
	{ additionalProperties: false, description: 'The last raw messages, for `why` and for trying out a configuration' },
);
export type RecorderConfig = Static<typeof RecorderConfig>;

export interface RecorderOptions {
	frames: number;
	maxBytes: number;
	disk: boolean;
}

export function recorderOptions({
	frames = 500,
	maxBytes = '256KiB',
	disk = false,
}: RecorderConfig = {}): RecorderOptions {
	return { frames, maxBytes: bytes(maxBytes), disk };
}
