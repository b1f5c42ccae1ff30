import {
	computed,
	type InjectionKey,
	inject,
	onScopeDispose,
	provide,
	shallowRef,
	type WritableComputedRef,
} from 'vue';
import { parseRoute, type Route, routeHref } from '../../lib/app/route.ts';

const ROUTE: InjectionKey<WritableComputedRef<Route>> = Symbol('route');

/**
 * Provides the route in the page's address to the components below. Writing it adds a history entry, so Back and
 * Forward work, every view can be linked to, and a wall screen keeps its building through a restart. Call once, at the
 * root.
 */
export function provideRoute(): WritableComputedRef<Route> {
	const current = shallowRef<Route>(parseRoute(location.search));
	const onPopState = () => {
		current.value = parseRoute(location.search);
	};
	addEventListener('popstate', onPopState);
	onScopeDispose(() => removeEventListener('popstate', onPopState));
	const route = computed({
		get: () => current.value,
		set: (next: Route) => {
			current.value = next;
			history.pushState(null, '', routeHref(next));
		},
	});
	provide(ROUTE, route);
	return route;
}

/** The provided route; writing it navigates. */
export function useRoute(): WritableComputedRef<Route> {
	const route = inject(ROUTE);
	if (!route) throw new Error('useRoute() needs provideRoute() in a component above');
	return route;
}
