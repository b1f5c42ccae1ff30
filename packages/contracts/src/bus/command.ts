import Type, { type Static } from 'typebox';
import { SensorId } from '../reading/reading.ts';
import { validator } from '../validator.ts';

/** The outcome of a command; each has exactly one. `expired`: nobody executed it before its deadline. */
export const COMMAND_OUTCOMES = ['executed', 'failed', 'expired'] as const;
export type CommandOutcome = (typeof COMMAND_OUTCOMES)[number];

/** Maximum size of a command's arguments as JSON, in bytes: a microcontroller must hold them. */
export const MAX_ARGS_BYTES = 4096;
/** How far in the future a deadline may be, in ms. */
export const MAX_DEADLINE_MS = 24 * 3600_000;

const CommandId = Type.String({ pattern: '^[A-Za-z0-9._:-]{1,64}$', description: '1..64 of A-Z a-z 0-9 . _ : -' });
const CommandName = Type.String({ pattern: '^[A-Za-z0-9._:-]{1,64}$', description: '1..64 of A-Z a-z 0-9 . _ : -' });
const EpochMs = Type.Number({ description: 'epoch ms' });
const Args = Type.Unknown({
	description: `arguments for the device; at most ${MAX_ARGS_BYTES} bytes as JSON`,
});

/** A command to a device. After `deadline` it is never executed. */
export const Command = Type.Object({
	id: CommandId,
	sensorId: SensorId,
	domainName: Type.Optional(
		Type.String({ description: 'only a device of this domain, or of one above or below it, gets it' }),
	),
	name: CommandName,
	args: Type.Optional(Args),
	deadline: Type.Number({ description: 'epoch ms, at most a day in the future; a late command is never executed' }),
});
export type Command = Static<typeof Command>;
export const command = validator(Command);

const { domainName: _, ...forDevice } = Command.properties;

/** A command on its way to the device. `ttlMs`, counted from its arrival, is for a device whose clock is not set. */
export const CommandToDevice = Type.Object({
	...forDevice,
	ttlMs: Type.Integer({
		minimum: 0,
		description: 'time to the deadline when it was sent, in ms, for a device whose clock is not set',
	}),
});
export type CommandToDevice = Static<typeof CommandToDevice>;
export const commandToDevice = validator(CommandToDevice);

/** A device's answer to a command, on MQTT `command/{sensorId}/result`. */
export const CommandAnswer = Type.Object({
	id: CommandId,
	outcome: Type.Enum([...COMMAND_OUTCOMES], { description: '`expired`: it arrived too late and was not executed' }),
	detail: Type.Optional(Type.String({ maxLength: 1024, description: 'for a person' })),
});
export type CommandAnswer = Static<typeof CommandAnswer>;
export const commandAnswer = validator(CommandAnswer);

/** The outcome of a command on the stream `command-results`, one per command. */
export const CommandResult = Type.Object({
	id: CommandId,
	sensorId: SensorId,
	outcome: Type.Enum([...COMMAND_OUTCOMES]),
	detail: Type.Optional(Type.String({ description: 'for a person' })),
	at: EpochMs,
});
export type CommandResult = Static<typeof CommandResult>;
export const commandResult = validator(CommandResult);

/** `POST /gateway/devices/{sensorId}/command`, with `timeoutMs` from now, or `deadline`, or the gateway's default. */
export const CommandRequest = Type.Object(
	{
		name: CommandName,
		args: Type.Optional(Args),
		timeoutMs: Type.Optional(Type.Integer({ minimum: 1, maximum: MAX_DEADLINE_MS })),
		deadline: Type.Optional(EpochMs),
	},
	{ additionalProperties: false },
);
export const commandRequest = validator(CommandRequest);
