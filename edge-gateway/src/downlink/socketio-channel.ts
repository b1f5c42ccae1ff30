/** Sends commands to a Socket.IO device, and gets its answers from callbacks. */
import type { GatewayToSensor, SensorToGateway } from '@crowdvision/contracts';
import type { DefaultEventsMap, Socket } from 'socket.io';
import type { Sender } from '../normalize/identify.ts';
import type { CommandChannel } from './command-channels.ts';
import { answerOf } from './device-messages.ts';

const REPEAT_MS = 2000;
/**
 * How long after the deadline an answer is accepted: a command that was executed in time may be answered a bit later.
 */
const GRACE_MS = 1000;
/**
 * After this time Socket.IO forgets a callback that the device has not called. The command is repeated meanwhile, and
 * each repetition adds a callback.
 */
const MAX_WAIT_MS = 300_000;

/**
 * The channel of a Socket.IO device: the event `command`, with a callback for the answer. A command is dropped while
 * the device is not reading, and sent again until its deadline.
 */
export function socketIoChannel(
	socket: Socket<SensorToGateway, GatewayToSensor, DefaultEventsMap, unknown>,
	{ id, domainName }: Pick<Sender, 'id' | 'domainName'>,
): CommandChannel {
	return {
		transport: 'socket.io',
		name: id,
		domainName,
		repeatMs: REPEAT_MS,
		send(command, onAnswer) {
			const done = (timeout: Error | null, answer: unknown) => {
				if (!timeout) onAnswer(answerOf(answer));
			};
			// Socket.IO's types do not say that `timeout` adds an error as the first argument of an optional callback.
			const callback = done as unknown as Parameters<GatewayToSensor['command']>[1];
			socket.volatile.timeout(Math.min(command.ttlMs + GRACE_MS, MAX_WAIT_MS)).emit('command', command, callback);
		},
	};
}
