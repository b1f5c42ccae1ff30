import type { BuildingSummary, MetricsResponse } from '@crowdvision/contracts';
import { onScopeDispose, type Ref, shallowRef, watch } from 'vue';
import { getColumns } from '../../api/endpoints.ts';
import type { Columns } from '../../lib/rooms/room-view.ts';
import { useCatalog } from '../app/use-catalog.ts';

/** Whether nobody chose columns: the service then answers with all metrics of the catalog except pure flows. */
function isDefault(columns: readonly string[], catalog: MetricsResponse['metrics']): boolean {
	const byDefault = Object.entries(catalog).filter(([, { kind, retired }]) => kind !== 'flow' && !retired);
	return columns.join() === byDefault.map(([key]) => key).join();
}

/**
 * The columns of the building on display. All metrics of the catalog until the service has answered, and if it does not
 * answer.
 */
export function useColumns(building: Ref<BuildingSummary>): Ref<Columns> {
	const { catalog: current } = useCatalog();
	const allOf = (catalog: MetricsResponse['metrics']): Columns => ({
		keys: Object.keys(catalog),
		chosen: false,
		catalog,
	});
	const columns = shallowRef<Columns>(allOf(current.value));
	let request: AbortController | undefined;

	watch(
		[() => building.value.id, () => current.value],
		async ([id, catalog]) => {
			request?.abort();
			const asked = new AbortController();
			request = asked;
			columns.value = allOf(catalog);
			try {
				const answer = await getColumns(id, asked.signal);
				if (asked.signal.aborted || isDefault(answer.columns, catalog)) return;
				columns.value = { keys: answer.columns, chosen: true, catalog };
			} catch {
				// All metrics stay on display: more than was chosen, but nothing wrong.
			}
		},
		{ immediate: true },
	);
	onScopeDispose(() => request?.abort());
	return columns;
}
