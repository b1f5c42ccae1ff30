import { FRESHNESS_MS, freshMs } from '@crowdvision/contracts';
import { milliseconds } from '../measures.ts';
import type { DevicesConfig } from './devices-config.ts';

/** A value is stale after its freshness; its sensor counts as offline only after three times that silence. */
const FRESHNESS_FACTOR = 3;

/** The silence after which a sensor counts as offline, by metric. */
export class Timeouts {
	#configured: Record<string, number> = {};

	constructor(config: DevicesConfig) {
		this.update(config);
	}

	/** Replaces the configured timeouts. They apply to readings that arrive from now on. */
	update({ timeouts = {} }: DevicesConfig): void {
		const named = Object.entries(timeouts).filter((one): one is [string, string] => one[1] !== undefined);
		this.#configured = Object.fromEntries(named.map(([metric, duration]) => [metric, milliseconds(duration)]));
	}

	/** For a sensor that has sent no reading yet, in ms. */
	get byDefault(): number {
		return this.#configured.default ?? FRESHNESS_FACTOR * FRESHNESS_MS;
	}

	/** For a sensor that measures `metric`, whose values count as current for `freshFor` ms; in ms. */
	of(metric: string, freshFor = freshMs(metric)): number {
		return this.#configured[metric] ?? this.#configured.default ?? FRESHNESS_FACTOR * freshFor;
	}
}
