/** The metrics that a gateway takes: built-in, configured, and announced by other gateways. */
import { isDeepStrictEqual } from 'node:util';
import type { Bus, Subscription } from '@crowdvision/bus';
import { type CustomMetric, definitionOf, MetricCatalog, type RetainedMetric, TABLES } from '@crowdvision/contracts';
import type { Logger } from '@crowdvision/service-kit';
import type { MetricsConfig } from './metrics-config.ts';

export interface GatewayMetricsParts {
	gatewayId: string;
	/** Epoch ms. */
	now: () => number;
	logger: Logger;
}

/** A metric that another gateway defined first, and differently. */
export interface MetricConflict {
	key: string;
	/** Whose definition holds. */
	gatewayId: string;
	/** What differs, such as `unit V, here mV`. */
	differences: string[];
}

const COMPARED = ['unit', 'min', 'max', 'decimals', 'kind', 'combine'] as const;

/**
 * The metrics that this gateway takes: the built-in ones, those of its configuration, and those that other gateways
 * announce. Announces its own in the table `registry:metrics`.
 *
 * Of two gateways that define one metric differently, the first wins. The other measures in its own unit all the same:
 * its readings are converted, or refused where they cannot be. A metric that is taken out of the configuration stays in
 * the table, marked as retired, as its history remains.
 */
export class GatewayMetrics {
	readonly catalog = new MetricCatalog();
	readonly #parts: GatewayMetricsParts;
	#own = new Map<string, CustomMetric>();
	/** Since when each own metric is defined, as far as this process knows. */
	readonly #since = new Map<string, number>();
	/** The table as it was received last. */
	readonly #table = new Map<string, RetainedMetric>();
	readonly #reported = new Map<string, string>();
	#bus: Bus | undefined;
	#watch: Promise<Subscription> | undefined;
	/** Keys that are not announced as they should be. */
	readonly #pending = new Set<string>();
	#announcing: Promise<void> | undefined;

	constructor(metrics: MetricsConfig, parts: GatewayMetricsParts) {
		this.#parts = parts;
		this.#use(metrics);
	}

	/** Takes over another configuration. */
	update(metrics: MetricsConfig): void {
		this.#use(metrics);
	}

	/**
	 * Follows the table from now on; where the bus is away, from when it is back. Resolves once its entries are known.
	 */
	async follow(bus: Bus): Promise<void> {
		this.#bus = bus;
		this.#watch = bus.watch(TABLES.metrics, (key, value) => this.#received(key, value));
		await this.#watch;
		for (const key of this.#own.keys()) this.#settle(key);
	}

	async close(): Promise<void> {
		await (await this.#watch?.catch(() => undefined))?.close();
		await this.#announcing;
	}

	/** The unit of readings of this gateway that name none, where it is not the catalog's. */
	assumedUnit(key: string): string | undefined {
		const own = this.#own.get(key);
		return own && own.unit !== this.catalog.definition(key)?.unit ? own.unit : undefined;
	}

	/** Metrics of this configuration whose definition is another gateway's. */
	conflicts(): MetricConflict[] {
		return [...this.#own].flatMap(([key, own]) => {
			const winner = this.#winner(key);
			const differences = winner ? differencesOf(winner, own) : [];
			return winner && differences.length > 0 ? [{ key, gatewayId: winner.gatewayId, differences }] : [];
		});
	}

	/** The conflicts in words, with what to do. */
	troubles(): string[] {
		return this.conflicts().map(
			({ key, gatewayId, differences }) =>
				`the metric ${key} is defined by the gateway ${gatewayId}, and differently (${differences.join('; ')}): its ` +
				'definition holds; make both alike, or give this one another key',
		);
	}

	#use(metrics: MetricsConfig): void {
		const before = this.#own;
		this.#own = new Map(metrics.map((metric) => [metric.key, metric]));
		for (const key of new Set([...before.keys(), ...this.#own.keys()])) {
			if (!isDeepStrictEqual(before.get(key), this.#own.get(key))) this.#settle(key);
		}
	}

	#received(key: string, value: string | null): void {
		if (value === null) this.#table.delete(key);
		else {
			try {
				this.#table.set(key, JSON.parse(value) as RetainedMetric);
			} catch (error) {
				this.#parts.logger.error({ err: error, metric: key }, 'a retained metric could not be read');
			}
		}
		this.#settle(key);
	}

	/** Another gateway's definition of a metric, if it comes before this one's. */
	#winner(key: string): RetainedMetric | undefined {
		const theirs = this.#table.get(key);
		const { gatewayId } = this.#parts;
		if (!theirs || theirs.retired || theirs.gatewayId === gatewayId) return undefined;
		const since = this.#since.get(key) ?? Number.POSITIVE_INFINITY;
		return theirs.at < since || (theirs.at === since && theirs.gatewayId < gatewayId) ? theirs : undefined;
	}

	/** Brings the catalog, and what is announced of a metric, up to date. */
	#settle(key: string): void {
		const own = this.#own.get(key);
		const retained = this.#table.get(key);
		if (!own) {
			if (retained && !retained.retired) this.catalog.set(retained);
			else this.catalog.delete(key);
			if (retained?.gatewayId === this.#parts.gatewayId && !retained.retired) this.#announce(key);
			return;
		}
		const winner = this.#winner(key);
		this.catalog.set(winner ?? own);
		this.#report(key, winner, own);
		if (!winner && !isSame(retained, this.#entry(key, own))) this.#announce(key);
	}

	/** What the table should hold of an own metric. The first announcement's time stays. */
	#entry(key: string, own: CustomMetric): RetainedMetric {
		const { gatewayId, now } = this.#parts;
		const retained = this.#table.get(key);
		const known = retained?.gatewayId === gatewayId && !retained.retired ? retained.at : undefined;
		const at = this.#since.get(key) ?? known ?? now();
		if (this.#bus) this.#since.set(key, at);
		return { ...own, gatewayId, at };
	}

	#announce(key: string): void {
		if (!this.#bus) return;
		this.#pending.add(key);
		this.#announcing ??= this.#announcePending(this.#bus).finally(() => {
			this.#announcing = undefined;
		});
	}

	async #announcePending(bus: Bus): Promise<void> {
		for (const key of this.#pending) {
			this.#pending.delete(key);
			const own = this.#own.get(key);
			const retained = this.#table.get(key);
			if (!own && !retained) continue;
			const entry: RetainedMetric = own ? this.#entry(key, own) : { ...retained!, retired: true };
			try {
				await bus.retain(TABLES.metrics, key, JSON.stringify(entry));
			} catch (error) {
				// The watch reports the table again when the bus is back, and the metric is settled then.
				this.#parts.logger.warn({ err: error, metric: key }, 'a metric could not be announced; it will be again');
			}
		}
	}

	#report(key: string, winner: RetainedMetric | undefined, own: CustomMetric): void {
		const differences = winner ? differencesOf(winner, own).join('; ') : '';
		if (this.#reported.get(key) === differences || (differences === '' && !this.#reported.has(key))) return;
		this.#reported.set(key, differences);
		if (differences === '') this.#parts.logger.info({ metric: key }, 'the definition of this metric holds again');
		else
			this.#parts.logger.warn(
				{ metric: key, definedBy: winner!.gatewayId, differences },
				'another gateway defined this metric first, and differently: its definition holds',
			);
	}
}

function differencesOf(theirs: CustomMetric, own: CustomMetric): string[] {
	const [one, other] = [definitionOf(theirs), definitionOf(own)];
	return COMPARED.filter((field) => one[field] !== other[field]).map(
		(field) => `${field} ${one[field] ?? 'gauge'}, here ${other[field] ?? 'gauge'}`,
	);
}

function isSame(retained: RetainedMetric | undefined, entry: RetainedMetric): boolean {
	return retained !== undefined && isDeepStrictEqual(retained, JSON.parse(JSON.stringify(entry)));
}
