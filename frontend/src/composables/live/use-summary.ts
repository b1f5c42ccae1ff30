import type { BuildingSummary } from '@crowdvision/contracts';
import { type Ref, shallowRef, toValue, watch } from 'vue';
import { useI18n } from 'vue-i18n';
import {
	type BuildingSummaryView,
	type Columns,
	type RoomStatus,
	roomView,
	summarize,
} from '../../lib/rooms/room-view.ts';
import { useWords } from '../text/use-words.ts';
import type { LiveRoom } from './use-live-building.ts';
import { useNow } from './use-now.ts';

/** Readers are told of changes at most so often. */
const SPEAK_MS = 30_000;
const SPOKEN: RoomStatus[] = ['overcrowded', 'full', 'crowded', 'stale', 'offline', 'no-data'];

/**
 * The building in one line, counted once a second and not with every reading; and the same as a sentence for screen
 * readers, which changes only when some room's status does, and not too often.
 */
export function useSummary(
	building: Ref<BuildingSummary | undefined>,
	rooms: Ref<ReadonlyMap<string, LiveRoom>>,
	columns: Ref<Columns>,
) {
	const { t } = useI18n({ useScope: 'global' });
	const words = useWords();
	const now = useNow();
	const summary = shallowRef<BuildingSummaryView>(summarize([]));
	const spoken = shallowRef('');
	let told = '';
	let toldAt = Number.NEGATIVE_INFINITY;

	const say = (view: BuildingSummaryView) => {
		const statuses = SPOKEN.filter((status) => view.statuses[status] > 0)
			.map((status) => `${t(`status.${status}`)}: ${view.statuses[status]}`)
			.join(', ');
		const makeup = JSON.stringify(view.statuses);
		// Before the first count there is nothing to tell; that the last one is gone must be told.
		if ((view.counted === 0 && told === '') || makeup === told || Date.now() - toldAt < SPEAK_MS) return;
		told = makeup;
		toldAt = Date.now();
		spoken.value =
			view.counted === 0
				? `${t('summary.nothing')}. ${statuses}.`
				: t('summary.spoken', {
						people: words.number(view.people),
						counted: view.counted,
						rooms: view.rooms,
						statuses,
					});
	};

	watch(
		[now, rooms],
		() => {
			const known = building.value?.rooms ?? [];
			const views = known.flatMap((room) => {
				const live = rooms.value.get(room.id);
				return live ? [roomView(room, toValue(live.samples), columns.value, now.value)] : [];
			});
			summary.value = summarize(views);
			say(summary.value);
		},
		{ immediate: true },
	);
	return { summary, spoken };
}
