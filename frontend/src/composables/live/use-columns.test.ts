import { type BuildingSummary, METRIC_KEYS, METRICS, type MetricDefinition } from '@crowdvision/contracts';
import { beforeEach, describe, expect, it } from 'vitest';
import { nextTick, type Ref, shallowRef } from 'vue';
import type { Columns } from '../../lib/rooms/room-view.ts';
import { mount } from '../../testing/mount.ts';
import { fakeServices, type Services, settle } from '../../testing/services.ts';
import { useColumns } from './use-columns.ts';

const building = (id: string): BuildingSummary => ({ id, name: id, domains: ['demo'], rooms: [] });
const REQUEST = 'GET /twin/buildings/works/columns';
const ALL = { keys: METRIC_KEYS, chosen: false, catalog: METRICS };

let services: Services;
let shown: Ref<BuildingSummary>;
let columns: Ref<Columns>;
let unmount: () => void;

beforeEach(() => {
	services = fakeServices();
	shown = shallowRef(building('works'));
	({ result: columns, unmount } = mount(() => useColumns(shown)));
});

describe('the columns of a building', () => {
	it('are all metrics until the service has answered', () => {
		expect(columns.value).toEqual(ALL);
	});

	it('are those that somebody chose, in their order', async () => {
		await services.next(REQUEST).answer({ columns: ['noise', 'co2'] });
		expect(columns.value).toEqual({ keys: ['noise', 'co2'], chosen: true, catalog: METRICS });
	});

	it('count as chosen by nobody when the service answers with its default', async () => {
		const byDefault = METRIC_KEYS.filter((key) => (METRICS[key] as MetricDefinition).kind !== 'flow');
		await services.next(REQUEST).answer({ columns: byDefault });
		expect(columns.value).toEqual(ALL);
	});

	it('are all metrics when the service does not answer', async () => {
		await services.next(REQUEST).fail();
		expect(columns.value).toEqual(ALL);
	});

	it('are kept as they were chosen when the building list is loaded again', async () => {
		await services.next(REQUEST).answer({ columns: ['noise', 'co2'] });
		shown.value = building('works');
		await nextTick();
		expect(columns.value).toEqual({ keys: ['noise', 'co2'], chosen: true, catalog: METRICS });
		expect(services.pending).toEqual([]);
	});

	it('are never those of the building that was on display before', async () => {
		const former = services.next(REQUEST);
		shown.value = building('other');
		await nextTick();
		expect(former.aborted).toBe(true);
		await former.answer({ columns: ['noise'] });
		expect(columns.value).toEqual(ALL);
		await services.next('GET /twin/buildings/other/columns').answer({ columns: ['co2'] });
		expect(columns.value).toEqual({ keys: ['co2'], chosen: true, catalog: METRICS });
	});

	it('are not asked for any more once the page is closed', async () => {
		const request = services.next(REQUEST);
		unmount();
		await settle();
		expect(request.aborted).toBe(true);
	});
});
