import { FRESHNESS_MS, freshMs } from '@crowdvision/contracts';
import { milliseconds } from '../measures.ts';
import type { DevicesConfig } from './devices-config.ts';

/**
 * A value is stale after its metric's freshness; that its sensor is gone is said only when it has been silent for three
 * times as long.
 */
const FRESHNESSES = 3;

/** After how long a silence a sensor counts as offline, by what it measures. */
export class Timeouts {
	#configured: Record<string, number> = {};

	constructor(config: DevicesConfig) {
		this.update(config);
	}

	/** Holds for what is heard from now on. */
	update({ timeouts = {} }: DevicesConfig): void {
		const named = Object.entries(timeouts).filter((one): one is [string, string] => one[1] !== undefined);
		this.#configured = Object.fromEntries(named.map(([metric, duration]) => [metric, milliseconds(duration)]));
	}

	/** Of a sensor that has measured nothing yet, ms. */
	get byDefault(): number {
		return this.#configured.default ?? FRESHNESSES * FRESHNESS_MS;
	}

	/** Of one that measures this, ms. */
	of(metric: string): number {
		return this.#configured[metric] ?? this.#configured.default ?? FRESHNESSES * freshMs(metric);
	}
}
