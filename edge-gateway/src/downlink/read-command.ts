/** Reads and checks entries of the stream of commands. */
import { type Command, command as commandOf, MAX_ARGS_BYTES, MAX_DEADLINE_MS } from '@crowdvision/contracts';

/** An entry of the stream of commands, as read. */
export interface ReadCommand {
	/** Undefined if the entry does not even name a command. */
	command: Command | undefined;
	/** Why the command fails without being sent. */
	problem?: string;
	/** The entry is not a valid command. */
	malformed: boolean;
}

/**
 * Reads an entry of the stream of commands. `now` is in epoch ms. `isSure`: whether this gateway may judge how far
 * ahead the deadline of a command to this sensor is.
 */
export function readCommand(
	data: string,
	now: number,
	isSure: (sensorId: string) => boolean = () => true,
): ReadCommand {
	const value = parse(data);
	if (commandOf.check(value)) {
		const { id, sensorId, domainName, name, args, deadline } = value;
		const command: Command = {
			id,
			sensorId,
			...(domainName !== undefined && { domainName }),
			name,
			...(args !== undefined && { args }),
			deadline,
		};
		const problem = problemOf(command, isSure(sensorId) ? now : Number.POSITIVE_INFINITY);
		return { command, ...(problem !== undefined && { problem }), malformed: false };
	}
	const { path, message } = commandOf.problem(value)!;
	const { id, sensorId } = (value ?? {}) as Partial<Command>;
	const named = { id, sensorId, name: 'malformed', deadline: now };
	return {
		command: commandOf.check(named) ? named : undefined,
		problem: `${path || 'the command'} ${message}`,
		malformed: true,
	};
}

/** The mistake in a command that its schema cannot express, or undefined. */
export function problemOf({ args, deadline }: Command, now: number): string | undefined {
	if (args !== undefined && Buffer.byteLength(JSON.stringify(args)) > MAX_ARGS_BYTES)
		return `/args must be at most ${MAX_ARGS_BYTES} bytes as JSON`;
	return deadline > now + MAX_DEADLINE_MS ? '/deadline must be at most a day ahead' : undefined;
}

function parse(data: string): unknown {
	try {
		return JSON.parse(data);
	} catch {
		return undefined;
	}
}
