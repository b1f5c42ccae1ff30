import type { Frame } from '../intake.ts';

/**
 * Hands a frame over. Resolves with the number of readings when all are durable; only then may the source acknowledge.
 * Rejects with CrowdVisionError: see Intake.deliver.
 */
export type Deliver = (frame: Frame) => Promise<number>;

/** A way in. `start` resolves when it takes messages (or keeps trying, where hardware may come later), `stop` when it has let go of everything. */
export interface Source {
	readonly name: string;
	start(deliver: Deliver): Promise<void>;
	stop(): Promise<void>;
	/** Undefined when it works, else the reason for a person. */
	trouble(): string | undefined;
}
