import type { GatewayToSensor, SensorToGateway } from '@crowdvision/contracts';
import type { DefaultEventsMap, Socket } from 'socket.io';
import type { Sender } from '../normalize/identify.ts';
import { answerOf } from './device-line.ts';
import type { Line } from './lines.ts';

const REPEAT_MS = 2000;
/** What was executed in time may be told a little later. */
const GRACE_MS = 1000;
/**
 * A callback that is not called is forgotten after so long: the command is sent again and again meanwhile, and each
 * time leaves another.
 */
const LONGEST_WAIT_MS = 300_000;

/**
 * A Socket.IO device's line: the event `command`, and its callback for the answer. A device that does not read is told
 * nothing now; it is told again, as long as the command is not late.
 */
export function socketIoLine(
	socket: Socket<SensorToGateway, GatewayToSensor, DefaultEventsMap, unknown>,
	{ id, domainName }: Pick<Sender, 'id' | 'domainName'>,
): Line {
	return {
		transport: 'socket.io',
		name: id,
		domainName,
		repeatMs: REPEAT_MS,
		send(command, answered) {
			const done = (late: Error | null, answer: unknown) => {
				if (!late) answered(answerOf(answer));
			};
			// Socket.IO's types do not know that `timeout` puts an error before the answer of a callback that need not be
			// there.
			const callback = done as unknown as Parameters<GatewayToSensor['command']>[1];
			socket.volatile.timeout(Math.min(command.ttlMs + GRACE_MS, LONGEST_WAIT_MS)).emit('command', command, callback);
		},
	};
}
