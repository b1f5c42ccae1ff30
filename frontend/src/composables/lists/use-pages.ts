import { computed, shallowRef } from 'vue';
import type { ListPage } from '../../lib/requests/every-page.ts';

/** A list that is shown page by page: the first page at once, others on demand. */
export function usePages<T>(load: (cursor: string | undefined) => Promise<ListPage<T>>) {
	/** Undefined until the first page is there. */
	const items = shallowRef<readonly T[]>();
	const error = shallowRef<unknown>();
	const busy = shallowRef(false);
	let next: string | undefined;
	const hasMore = shallowRef(false);
	/** Rises with every `reload`: the answer to an earlier request is not shown any more. */
	let turn = 0;

	async function get(cursor: string | undefined): Promise<void> {
		const mine = ++turn;
		busy.value = true;
		error.value = undefined;
		try {
			const page = await load(cursor);
			if (mine !== turn) return;
			items.value = cursor === undefined ? page.items : [...(items.value ?? []), ...page.items];
			next = page.nextCursor;
			hasMore.value = next !== undefined;
		} catch (reason) {
			if (mine === turn) error.value = reason;
		} finally {
			if (mine === turn) busy.value = false;
		}
	}

	return {
		items: computed(() => items.value),
		error: computed(() => error.value),
		busy: computed(() => busy.value),
		hasMore: computed(() => hasMore.value),
		/** Loads the first page again. */
		reload: () => get(undefined),
		/** Adds the next page. */
		more: async () => {
			if (!busy.value && next !== undefined) await get(next);
		},
		/** Takes out what is gone, without asking again. */
		remove: (isGone: (item: T) => boolean) => {
			items.value = items.value?.filter((item) => !isGone(item));
		},
	};
}
