import type { Frame, Settled } from '../frame.ts';

/**
 * Hands a frame over. Resolves with the number of readings when all are durable; only then may the source acknowledge.
 * Rejects with CrowdVisionError: see Intake.deliver.
 */
export type Deliver = (frame: Frame) => Promise<number>;

/**
 * The same without a promise: `settled` is called once. For MQTT, where it is done tens of thousands of times a second.
 */
export type Take = (frame: Frame, settled: Settled) => void;

/**
 * A way in. `start` resolves when it takes messages (or keeps trying, where hardware may come later), `stop` when it
 * has let go of everything.
 */
export interface Source {
	readonly name: string;
	start(deliver: Deliver, take: Take): Promise<void>;
	stop(): Promise<void>;
	/** Undefined when it works, else the reason for a person. */
	trouble(): string | undefined;
}
