import Type, { type Static } from 'typebox';
import { validator } from '../validator.ts';
import { DOOR_EVENTS, Interval } from './reading.ts';

/**
 * Why a room's count changed. `crossings`: people came and went; for the others of a door see DOOR_EVENTS.
 * `seems-swapped`: nothing changed, but the door seems to be mounted the wrong way round.
 */
export const COUNT_CAUSES = ['crossings', ...DOOR_EVENTS, 'zeroing', 'correction', 'seems-swapped'] as const;
export type CountCause = (typeof COUNT_CAUSES)[number];

const EpochMs = Type.Number({ description: 'epoch ms' });

/** One change of a room's count, for the audit. */
export const CountChange = Type.Object({
	id: Type.String({ description: 'id of the reading that reported it' }),
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
	reason: Type.Optional(Type.Enum(['nightly', 'quiet'], { description: 'why the room was assumed to be empty' })),
	by: Type.Optional(Type.String({ description: 'id of the account that corrected it' })),
	name: Type.Optional(Type.String({ description: 'name of that account' })),
	note: Type.Optional(Type.String()),
});
export type CountChange = Static<typeof CountChange>;

/** `POST /gateway/rooms/{buildingId}/{roomId}/correction` */
export const CorrectionRequest = Type.Object(
	{
		count: Type.Integer({ minimum: 0, maximum: 100_000, description: 'number of people in the room' }),
		note: Type.Optional(Type.String({ maxLength: 500, description: 'for the audit; not part of the reading' })),
	},
	{ additionalProperties: false },
);
export type CorrectionRequest = Static<typeof CorrectionRequest>;
export const correctionRequest = validator(CorrectionRequest);

/** The effect of a correction. */
export const Corrected = Type.Object({
	id: Type.String({ description: 'id of the reading' }),
	at: EpochMs,
	before: Type.Number(),
	count: Type.Number(),
	interval: Interval,
});
export type Corrected = Static<typeof Corrected>;

/** What the gateway proposes to configure, and never applies by itself. */
export const Proposal = Type.Object({
	kind: Type.Enum(['swapped'], { description: 'swapped: the ins of the door are outs' }),
	sensorId: Type.String({ description: 'the door' }),
	text: Type.String({ description: 'why, in plain words' }),
	configuration: Type.String({ description: 'to paste into gateway.yaml' }),
});
export type Proposal = Static<typeof Proposal>;
