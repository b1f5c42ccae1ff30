/** The metric catalog as a service follows it on the bus. */
import { MetricCatalog, type RetainedMetric, TABLES, type TableName } from '@crowdvision/contracts';
import type { Logger } from '../logger.ts';

/** The part of the bus that a directory needs. */
interface Watchable {
	watch(table: TableName, handle: (key: string, value: string | null) => void): Promise<{ close(): Promise<void> }>;
}

/** The metric catalog with the metrics that gateways configure, as they retain them on the bus. */
export class MetricDirectory {
	readonly catalog = new MetricCatalog();
	readonly #logger: Logger;

	constructor(logger: Logger) {
		this.#logger = logger;
	}

	/** Follows the bus until closed; resolves once every present metric is known. */
	follow(bus: Watchable): Promise<{ close(): Promise<void> }> {
		return bus.watch(TABLES.metrics, (key, value) => this.#apply(key, value));
	}

	#apply(key: string, value: string | null): void {
		// A metric that the bus has lost is announced again; until then its definition still holds.
		if (value === null) return;
		try {
			this.catalog.set({ ...(JSON.parse(value) as RetainedMetric), key });
		} catch (error) {
			this.#logger.error({ err: error, metric: key }, 'a retained metric could not be read');
		}
	}
}
