/** The port of a transport: what each source offers to the gateway, and what it gets from it. */
import type { Take } from '../frame.ts';

/** A transport by which devices send messages: serial ports, MQTT, HTTP, Socket.IO. */
export interface Source {
	/** Resolves when messages are taken, or when they will be as soon as the hardware is there. */
	start(take: Take): Promise<void>;
	/**
	 * Takes no more messages; resolves when every port and connection is closed. Also for a source that never started.
	 */
	stop(): Promise<void>;
}
