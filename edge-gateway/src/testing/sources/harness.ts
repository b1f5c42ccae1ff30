import type { Transport } from '@crowdvision/contracts';
import type { GatewayWorld, GatewayWorldOptions } from '../gateway-world.ts';

/** The gateway's answer to a reading: `acknowledged`, an error code, or `no answer` when the connection has ended. */
export type SourceAnswer = 'acknowledged' | 'no answer' | (string & {});

/** A device with one sensor, connected to the gateway over one transport. */
export interface TestDevice {
	readonly sensorId: string;
	/** Sends a reading; resolves with the gateway's answer and never rejects. */
	send(reading: object): Promise<SourceAnswer>;
	/** Sends messages as close together as the transport allows for one sender that relies on their order. */
	sendInOrder(readings: readonly object[]): Promise<SourceAnswer[]>;
	/** Sends bytes that may be anything; resolves when the gateway has had the chance to react. Never rejects. */
	sendBytes(bytes: Buffer): Promise<void>;
	/** Connects again, as a device does that was restarted. */
	reconnect(): Promise<void>;
	/** Ends the connection; messages without an answer so far get none. */
	end(): Promise<void>;
}

/** A gateway and two devices that are connected to it. */
export interface SourceWorld {
	world: GatewayWorld;
	device: TestDevice;
	neighbour: TestDevice;
}

/** Options of the gateway under test. */
export type SourceOptions = GatewayWorldOptions & {
	/** Most messages a second that the gateway takes from one device; default: far more than a test sends. */
	messagesPerSecond?: number;
};

/** One transport, and what the conformance suite must know about it. */
export interface SourceHarness {
	/** Name of the transport in readings and in labels of metrics. */
	transport: Transport;
	open(options: SourceOptions): Promise<SourceWorld>;
	/** The metric that counts what goes beyond `messagesPerSecond`. */
	limitMetric: [name: string, labels: Record<string, string>];
	/** The answer to a refused message, where the transport has no way to name an error code. */
	refusal?: SourceAnswer;
	/** Whether a message that cannot be taken now waits for its answer until it can, instead of getting a code. */
	waits?: boolean;
	/** Bytes that are not a valid message, by what is wrong with them. */
	garbage: Record<string, Buffer>;
}

/** A reading of a device in building b1. */
export const readingOf = ({ sensorId }: TestDevice, seq: number, change: object = {}) => ({
	sensorId,
	metric: 'co2',
	value: 400 + seq,
	seq,
	buildingId: 'b1',
	roomId: 'hall',
	...change,
});

/** Options of the gateway for transports whose rate the gateway's settings limit. */
export function withLimit({ messagesPerSecond, ...options }: SourceOptions): GatewayWorldOptions {
	if (messagesPerSecond === undefined) return options;
	return { ...options, settings: { ...options.settings, messagesPerSecond } };
}
