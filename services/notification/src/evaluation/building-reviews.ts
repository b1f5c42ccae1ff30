import type { Alert } from '@crowdvision/contracts';
import { keepRunning, type Logger, type SerialQueue } from '@crowdvision/service-kit';
import { WakeUp } from '../wake-up.ts';
import type { RuleEvaluator } from './rule-evaluator.ts';

export interface ReviewParts {
	evaluator: RuleEvaluator;
	queue: SerialQueue;
	logger: Logger;
	/** Epoch ms, by the clock that readings are judged by. */
	now: () => number;
	onAlerts: (alerts: Alert[]) => void;
}

/**
 * Evaluates the rules of a whole building again when it appears or changes, while this process leads. Buildings that
 * change while it does not lead wait, each once, so a new leader reviews every building.
 */
export class BuildingReviews {
	readonly #parts: ReviewParts;
	readonly #changed = new Set<string>();
	readonly #wakeUp = new WakeUp();
	#running: { stopped: AbortController; done: Promise<void> } | undefined;

	constructor(parts: ReviewParts) {
		this.#parts = parts;
	}

	/** Adds a building to review; does not wait for the review. */
	add(buildingId: string): void {
		this.#changed.add(buildingId);
		this.#wakeUp.call();
	}

	start(): void {
		const stopped = new AbortController();
		const { signal } = stopped;
		const { logger } = this.#parts;
		const options = { what: 'reviewing a changed building', signal, logger, firstMs: 100, longestMs: 5000 };
		this.#running = { stopped, done: keepRunning(() => this.#reviewNext(signal), options) };
	}

	/** Resolves when the review under way has ended. */
	async stop(): Promise<void> {
		this.#running?.stopped.abort();
		await this.#running?.done;
		this.#running = undefined;
	}

	async #reviewNext(signal: AbortSignal): Promise<void> {
		const { evaluator, queue, now, onAlerts } = this.#parts;
		const [buildingId] = this.#changed;
		if (buildingId === undefined) return this.#wakeUp.wait(signal);
		this.#changed.delete(buildingId);
		try {
			onAlerts(await queue.run(() => evaluator.review(buildingId, now())));
		} catch (error) {
			this.#changed.add(buildingId);
			throw error;
		}
	}
}
