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
import type { LiveRoom } from './live-rooms.ts';
import { useNow } from './use-now.ts';

/** Shortest time between two announcements to screen readers. */
const ANNOUNCE_INTERVAL_MS = 30_000;
const ANNOUNCED: RoomStatus[] = ['overcrowded', 'full', 'crowded', 'incomplete', 'stale', 'offline', 'no-data'];

/**
 * The totals of a building, computed once a second and not with every reading; and the same as a sentence for screen
 * readers, which changes only when a room's status does, and at most every 30 seconds.
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
	const announcement = shallowRef('');
	let announced = '';
	let announcedAt = Number.NEGATIVE_INFINITY;

	const announce = (view: BuildingSummaryView) => {
		const statuses = JSON.stringify(view.statuses);
		if (statuses === announced || Date.now() - announcedAt < ANNOUNCE_INTERVAL_MS) return;
		// Before the first count there is nothing to announce; the loss of the last count must be announced.
		if (view.counted === 0 && announced === '') return;
		announced = statuses;
		announcedAt = Date.now();
		const list = ANNOUNCED.filter((status) => view.statuses[status] > 0)
			.map((status) => `${t(`status.${status}`)}: ${view.statuses[status]}`)
			.join(', ');
		const { counted, rooms: total } = view;
		announcement.value =
			counted === 0
				? `${t('summary.nothing')}. ${list}.`
				: t('summary.spoken', { people: words.number(view.people), counted, rooms: total, statuses: list });
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
			announce(summary.value);
		},
		{ immediate: true },
	);
	return { summary, announcement };
}
