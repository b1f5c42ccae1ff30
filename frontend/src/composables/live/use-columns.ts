import { type BuildingSummary, METRICS, type MetricDefinition } from '@crowdvision/contracts';
import { onScopeDispose, type Ref, shallowRef, watch } from 'vue';
import { getColumns } from '../../api/endpoints.ts';
import type { Columns } from '../../lib/rooms/room-view.ts';
import { useCatalog } from '../app/use-catalog.ts';

/** Whether nobody chose columns: the service then answers with all metrics of the catalog except pure flows. */
const isDefault = (columns: readonly string[], catalog: readonly string[]) =>
	columns.join() ===
	catalog.filter((key) => (METRICS as Record<string, MetricDefinition>)[key]?.kind !== 'flow').join();

/**
 * The columns of the building on display. All metrics of the catalog until the service has answered, and if it does not
 * answer.
 */
export function useColumns(building: Ref<BuildingSummary>): Ref<Columns> {
	const { keys } = useCatalog();
	const columns = shallowRef<Columns>({ keys: keys.value, chosen: false });
	let request: AbortController | undefined;

	watch(
		[() => building.value.id, keys],
		async ([id, catalog]) => {
			request?.abort();
			const current = new AbortController();
			request = current;
			columns.value = { keys: catalog, chosen: false };
			try {
				const answer = await getColumns(id, current.signal);
				if (current.signal.aborted || isDefault(answer.columns, catalog)) return;
				columns.value = { keys: answer.columns, chosen: true };
			} catch {
				// All metrics stay on display: more than was chosen, but nothing wrong.
			}
		},
		{ immediate: true },
	);
	onScopeDispose(() => request?.abort());
	return columns;
}
