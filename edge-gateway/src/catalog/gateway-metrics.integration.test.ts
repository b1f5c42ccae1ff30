import type { Bus } from '@crowdvision/bus';
import { type CustomMetric, type RetainedMetric, TABLES } from '@crowdvision/contracts';
import { createLogger } from '@crowdvision/service-kit';
import { openServiceWorld, type ServiceWorld } from '@crowdvision/testing/service-world';
import { waitFor } from '@crowdvision/testing/wait';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { GatewayMetrics } from './gateway-metrics.ts';

const VOLTAGE: CustomMetric = { key: 'voltage', unit: 'V', min: 0, max: 400, decimals: 1, name: { en: 'Voltage' } };
const IN_MILLIVOLT: CustomMetric = { ...VOLTAGE, unit: 'mV', max: 400_000 };
const CONTACT: CustomMetric = { key: 'contact', unit: '', min: 0, max: 1, kind: 'state' };

let world: ServiceWorld;
let bus: Bus;
const table = new Map<string, RetainedMetric>();
const opened: GatewayMetrics[] = [];
beforeEach(async () => {
	world = await openServiceWorld();
	bus = world.parts.bus;
	table.clear();
	await bus.watch(TABLES.metrics, (key, value) => {
		if (value === null) table.delete(key);
		else table.set(key, JSON.parse(value));
	});
});
afterEach(async () => {
	for (const metrics of opened.splice(0)) await metrics.close();
	await world.stop();
});

/** The metrics of a gateway that began at `at`, following the bus. */
async function gateway(gatewayId: string, metrics: CustomMetric[], at: number): Promise<GatewayMetrics> {
	const started = new GatewayMetrics(metrics, { gatewayId, now: () => at, logger: createLogger('test', 'silent') });
	opened.push(started);
	await started.follow(bus);
	return started;
}
const announced = (key: string) => waitFor(`${key} in the table`, () => table.get(key));

describe('P13 metrics by configuration', () => {
	it('are announced in the retained table, with the gateway and the time of their definition', async () => {
		await gateway('north', [VOLTAGE, CONTACT], 1000);
		expect(await announced('voltage')).toEqual({ ...VOLTAGE, gatewayId: 'north', at: 1000 });
		expect(await announced('contact')).toMatchObject({ kind: 'state', gatewayId: 'north' });
	});

	it('hold from the start, before the bus is reached', () => {
		const metrics = new GatewayMetrics([VOLTAGE], {
			gatewayId: 'north',
			now: () => 1,
			logger: createLogger('test', 'silent'),
		});
		expect(metrics.catalog.definition('voltage')).toMatchObject({ unit: 'V', max: 400 });
	});

	it('of two gateways that disagree are those of the first; the other is told and converts its unit', async () => {
		await gateway('north', [VOLTAGE], 1000);
		await announced('voltage');
		const south = await gateway('south', [IN_MILLIVOLT], 2000);
		expect(south.catalog.definition('voltage')).toMatchObject({ unit: 'V', max: 400 });
		expect(south.assumedUnit('voltage')).toBe('mV');
		expect(south.catalog.definition('voltage')!.accepts!.mV!(230_500)).toBe(230.5);
		expect(south.conflicts()).toEqual([
			{ key: 'voltage', gatewayId: 'north', differences: ['unit V, here mV', 'max 400, here 400000'] },
		]);
		expect(table.get('voltage')).toMatchObject({ gatewayId: 'north', unit: 'V' });
	});

	it('of a gateway that wrote over an earlier definition at the same moment are put right', async () => {
		const north = await gateway('north', [VOLTAGE], 1000);
		await announced('voltage');
		await bus.retain(TABLES.metrics, 'voltage', JSON.stringify({ ...IN_MILLIVOLT, gatewayId: 'south', at: 1500 }));
		await waitFor('the first again', () => table.get('voltage')?.gatewayId === 'north');
		expect(north.conflicts()).toEqual([]);
	});

	it('that two gateways define alike are no conflict', async () => {
		await gateway('north', [VOLTAGE], 1000);
		await announced('voltage');
		const south = await gateway('south', [VOLTAGE], 2000);
		expect(south.conflicts()).toEqual([]);
		expect(south.assumedUnit('voltage')).toBeUndefined();
	});

	it('keep their first time when the gateway starts again or changes them', async () => {
		const before = await gateway('north', [VOLTAGE], 1000);
		await announced('voltage');
		await before.close();
		const after = await gateway('north', [{ ...VOLTAGE, max: 500 }], 9000);
		await waitFor('the change', () => table.get('voltage')?.max === 500);
		expect(table.get('voltage')!.at).toBe(1000);
		after.update([{ ...VOLTAGE, max: 600 }]);
		await waitFor('the next change', () => table.get('voltage')?.max === 600);
		expect(table.get('voltage')!.at).toBe(1000);
	});

	it('that are taken out stay in the table as retired, and are taken no more', async () => {
		const north = await gateway('north', [VOLTAGE, CONTACT], 1000);
		await announced('voltage');
		north.update([CONTACT]);
		await waitFor('the end of it', () => table.get('voltage')?.retired);
		expect(table.get('voltage')).toMatchObject({ unit: 'V', gatewayId: 'north' });
		expect(north.catalog.definition('voltage')).toBeUndefined();
		expect(north.catalog.keys()).toContain('contact');
	});

	it('that were taken out while the gateway was off are retired at its next start', async () => {
		const before = await gateway('north', [VOLTAGE], 1000);
		await announced('voltage');
		await before.close();
		await gateway('north', [], 2000);
		await waitFor('the end of it', () => table.get('voltage')?.retired);
	});

	it('that the first gateway retires are taken over by another that defines them', async () => {
		const north = await gateway('north', [VOLTAGE], 1000);
		await announced('voltage');
		const south = await gateway('south', [IN_MILLIVOLT], 2000);
		north.update([]);
		await waitFor('the other', () => table.get('voltage')?.gatewayId === 'south');
		expect(south.conflicts()).toEqual([]);
		expect(south.catalog.definition('voltage')!.unit).toBe('mV');
	});

	it('come back when the bus has lost its table', async () => {
		await gateway('north', [VOLTAGE], 1000);
		await announced('voltage');
		await bus.retain(TABLES.metrics, 'voltage', null);
		await waitFor('it again', () => table.get('voltage')?.at === 1000);
	});

	it('of other gateways are taken too, as a bridge may bring their readings', async () => {
		const south = await gateway('south', [], 1000);
		await bus.retain(TABLES.metrics, 'voltage', JSON.stringify({ ...VOLTAGE, gatewayId: 'north', at: 1 }));
		await waitFor('the definition', () => south.catalog.definition('voltage'));
		await bus.retain(TABLES.metrics, 'voltage', 'not JSON');
		expect(south.catalog.definition('voltage')).toBeDefined();
	});
});
