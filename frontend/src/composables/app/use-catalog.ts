import { METRICS, type MetricsResponse } from '@crowdvision/contracts';
import { computed, type InjectionKey, inject, provide, type ShallowRef, shallowRef } from 'vue';
import { getMetrics } from '../../api/endpoints.ts';

type Catalog = MetricsResponse['metrics'];

const CATALOG: InjectionKey<ShallowRef<Catalog>> = Symbol('catalog');

/**
 * Provides the metric catalog to the components below: the one this page was built with, replaced by the service's own
 * when it has answered.
 */
export function provideCatalog(): void {
	const catalog = shallowRef<Catalog>(METRICS);
	provide(CATALOG, catalog);
	getMetrics().then(
		({ metrics }) => {
			catalog.value = metrics;
		},
		() => {
			// The built-in catalog stays in use.
		},
	);
}

/** The provided catalog and its keys in order; without a provider, the catalog this page was built with. */
export function useCatalog() {
	const catalog = inject(CATALOG, () => shallowRef<Catalog>(METRICS), true);
	return { catalog, keys: computed(() => Object.keys(catalog.value)) };
}
