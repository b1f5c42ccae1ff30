import type { Alert } from '@crowdvision/contracts';
import { type BuildingDirectory, backOff, type Logger, pause, type SerialQueue } from '@crowdvision/service-kit';
import type { Watchman } from './evaluation/rule-evaluator.ts';

export interface ReviewParts {
	directory: BuildingDirectory;
	watchman: Watchman;
	queue: SerialQueue;
	logger: Logger;
	onAlerts: (alerts: Alert[]) => void;
}

/**
 * Has the watchman look again at each building that appears or changes, while on duty; what changes meanwhile waits,
 * one review a building at most. Whoever takes over so looks at every building once.
 */
export class BuildingReviews {
	readonly #parts: ReviewParts;
	readonly #changed = new Set<string>();
	#stopped: AbortController | undefined;
	#running: Promise<void> | undefined;

	constructor(parts: ReviewParts) {
		this.#parts = parts;
		parts.directory.onChange((buildingId) => {
			this.#changed.add(buildingId);
			this.#reviewAll();
		});
	}

	start(): void {
		this.#stopped = new AbortController();
		this.#reviewAll();
	}

	async stop(): Promise<void> {
		this.#stopped?.abort();
		await this.#running;
		this.#stopped = undefined;
	}

	#reviewAll(): void {
		const signal = this.#stopped?.signal;
		if (!signal || signal.aborted || this.#changed.size === 0) return;
		this.#running ??= this.#run(signal).finally(() => {
			this.#running = undefined;
			this.#reviewAll();
		});
	}

	async #run(signal: AbortSignal): Promise<void> {
		const { watchman, queue, logger, onAlerts } = this.#parts;
		for (let failures = 0; this.#changed.size > 0 && !signal.aborted; ) {
			const [buildingId] = this.#changed as Set<string> & Iterable<string>;
			this.#changed.delete(buildingId!);
			try {
				onAlerts(await queue.run(() => watchman.review(buildingId!, Date.now())));
				failures = 0;
			} catch (error) {
				this.#changed.add(buildingId!);
				if (failures === 0)
					logger.warn({ err: error, buildingId }, 'a changed building could not be looked at: trying on');
				await pause(backOff(failures++, 100, 5000), signal);
			}
		}
	}
}
