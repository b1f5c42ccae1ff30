import { computed, onScopeDispose, shallowRef } from 'vue';
import { type Place, readPlace, writePlace } from '../lib/place.ts';

/** The address of the page as state: Back and Forward work, and a wall screen keeps its building through a restart. */
export function usePlace() {
	const place = shallowRef<Place>(readPlace(location.search));
	const onPop = () => {
		place.value = readPlace(location.search);
	};
	addEventListener('popstate', onPop);
	onScopeDispose(() => removeEventListener('popstate', onPop));
	return computed({
		get: () => place.value,
		set: (next: Place) => {
			place.value = next;
			history.pushState(null, '', writePlace(next));
		},
	});
}
