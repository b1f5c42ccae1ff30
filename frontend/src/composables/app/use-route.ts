import {
	computed,
	type InjectionKey,
	inject,
	onScopeDispose,
	provide,
	shallowRef,
	type WritableComputedRef,
} from 'vue';
import { type Place, readPlace, writePlace } from '../../lib/app/route.ts';

const PLACE: InjectionKey<WritableComputedRef<Place>> = Symbol('place');

/**
 * The address of the page as state, for everything below: Back and Forward work, what is on display can be linked to,
 * and a wall screen keeps its building through a restart. Call once, at the root.
 */
export function providePlace(): WritableComputedRef<Place> {
	const place = shallowRef<Place>(readPlace(location.search));
	const onPop = () => {
		place.value = readPlace(location.search);
	};
	addEventListener('popstate', onPop);
	onScopeDispose(() => removeEventListener('popstate', onPop));
	const writable = computed({
		get: () => place.value,
		set: (next: Place) => {
			place.value = next;
			history.pushState(null, '', writePlace(next));
		},
	});
	provide(PLACE, writable);
	return writable;
}

export function usePlace(): WritableComputedRef<Place> {
	const place = inject(PLACE);
	if (!place) throw new Error('no place is provided');
	return place;
}
