import Type, { type Static } from 'typebox';
import { validator } from '../validator.ts';
import { DOOR_EVENTS, Interval } from './reading.ts';

/** Why a room's count changed. `crossings`: people came and went; the others of a door as in a reading. */
export const COUNT_CAUSES = ['crossings', ...DOOR_EVENTS, 'zeroing', 'correction'] as const;
export type CountCause = (typeof COUNT_CAUSES)[number];

const EpochMs = Type.Number({ description: 'epoch ms' });

/** One change of a room's count, for who wants to know why it is what it is. */
export const CountChange = Type.Object({
	id: Type.String({ description: 'of the reading that told of it' }),
	at: EpochMs,
	receivedAt: EpochMs,
	cause: Type.Enum([...COUNT_CAUSES]),
	sensorId: Type.Optional(Type.String({ description: 'the door' })),
	in: Type.Optional(Type.Number()),
	out: Type.Optional(Type.Number()),
	before: Type.Number(),
	after: Type.Number(),
	interval: Interval,
	clamped: Type.Optional(Type.Number({ description: 'how far below 0 the count would have fallen' })),
	reason: Type.Optional(Type.Enum(['nightly', 'quiet'], { description: 'why the room was taken to be empty' })),
	by: Type.Optional(Type.String({ description: 'id of the account that corrected' })),
	name: Type.Optional(Type.String({ description: 'its name' })),
	note: Type.Optional(Type.String()),
});
export type CountChange = Static<typeof CountChange>;

/** `POST /gateway/rooms/{buildingId}/{roomId}/correction` */
export const CorrectionRequest = Type.Object(
	{
		count: Type.Integer({ minimum: 0, maximum: 100_000, description: 'how many people are in the room' }),
		note: Type.Optional(Type.String({ maxLength: 500, description: 'for the audit; not in the reading' })),
	},
	{ additionalProperties: false },
);
export type CorrectionRequest = Static<typeof CorrectionRequest>;
export const correctionRequest = validator(CorrectionRequest);

/** What a correction did. */
export const Corrected = Type.Object({
	id: Type.String({ description: 'of the reading' }),
	at: EpochMs,
	before: Type.Number(),
	count: Type.Number(),
	interval: Interval,
});
export type Corrected = Static<typeof Corrected>;
