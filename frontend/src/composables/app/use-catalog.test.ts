import { METRIC_KEYS, METRICS } from '@crowdvision/contracts';
import { describe, expect, it } from 'vitest';
import { mount } from '../../testing/mount.ts';
import { fakeServices } from '../../testing/services.ts';
import { provideCatalog, useCatalog } from './use-catalog.ts';

const REQUEST = 'GET /twin/metrics';

describe('the metric catalog of the page', () => {
	it('is the one the page was built with until the service has answered with its own', async () => {
		const services = fakeServices();
		const { result } = mount(useCatalog, provideCatalog);
		expect(result.keys.value).toEqual(METRIC_KEYS);
		const radon = { ...METRICS.co2, unit: 'Bq/m3', label: { en: 'Radon', it: 'Radon' } };
		await services.next(REQUEST).answer({ metrics: { ...METRICS, radon } });
		expect(result.keys.value).toEqual([...METRIC_KEYS, 'radon']);
		expect(result.catalog.value.radon?.label.en).toBe('Radon');
	});

	it('is the one the page was built with when the service does not answer', async () => {
		const services = fakeServices();
		const { result } = mount(useCatalog, provideCatalog);
		await services.next(REQUEST).fail();
		expect(result.keys.value).toEqual(METRIC_KEYS);
	});

	it('is there without a provider', () => {
		expect(mount(useCatalog).result.keys.value).toEqual(METRIC_KEYS);
	});
});
