import { type BuildingSummary, METRICS, type MetricDefinition } from '@crowdvision/contracts';
import { onScopeDispose, type Ref, shallowRef, watch } from 'vue';
import { getColumns } from '../../api/endpoints.ts';
import type { Columns } from '../../lib/rooms/room-view.ts';
import { useCatalog } from '../app/use-catalog.ts';

/** What the service answers where nobody chose: all but what only counts events. */
const isDefault = (columns: readonly string[], catalog: readonly string[]) =>
	columns.join() ===
	catalog.filter((key) => (METRICS as Record<string, MetricDefinition>)[key]?.kind !== 'flow').join();

/** The columns of the building on display; all there are until they are known, and where they cannot be had. */
export function useColumns(building: Ref<BuildingSummary>): Ref<Columns> {
	const { keys } = useCatalog();
	const columns = shallowRef<Columns>({ keys: keys.value, chosen: false });
	let asked: AbortController | undefined;

	watch(
		[() => building.value.id, keys],
		async ([id, catalog]) => {
			asked?.abort();
			const mine = new AbortController();
			asked = mine;
			columns.value = { keys: catalog, chosen: false };
			try {
				const answer = await getColumns(id, mine.signal);
				if (!mine.signal.aborted)
					columns.value = isDefault(answer.columns, catalog) ? columns.value : { keys: answer.columns, chosen: true };
			} catch {
				// Everything is shown: more than was chosen, and nothing that is wrong.
			}
		},
		{ immediate: true },
	);
	onScopeDispose(() => asked?.abort());
	return columns;
}
