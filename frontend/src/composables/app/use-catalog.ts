import { METRICS, type MetricsResponse } from '@crowdvision/contracts';
import { computed, type InjectionKey, inject, provide, type ShallowRef, shallowRef } from 'vue';
import { getMetrics } from '../../api/endpoints.ts';

type Catalog = MetricsResponse['metrics'];

const CATALOG: InjectionKey<ShallowRef<Catalog>> = Symbol('catalog');

/** Provides the catalog of metrics: the one this page was built with, until the service has told the one it uses. */
export function provideCatalog(): void {
	const catalog = shallowRef<Catalog>(METRICS);
	provide(CATALOG, catalog);
	getMetrics().then(
		({ metrics }) => {
			catalog.value = metrics;
		},
		() => {
			// The built-in one does.
		},
	);
}

export function useCatalog() {
	const catalog = inject(CATALOG, () => shallowRef<Catalog>(METRICS), true);
	return { catalog, keys: computed(() => Object.keys(catalog.value)) };
}
