import type { SensorStatus } from '@crowdvision/contracts';
import { waitFor } from '@crowdvision/testing/wait';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type GatewayWorld, openGatewayWorld } from '../testing/gateway-world.ts';

let world: GatewayWorld;
beforeEach(async () => {
	world = await openGatewayWorld();
});
afterEach(() => world.stop());

const HOME = { acme: { buildingId: 'b1', roomId: 'hall' }, other: { buildingId: 'foreign', roomId: 'hall' } };
type Tenant = keyof typeof HOME;

async function send(tenant: Tenant, sensorId: string, value = 420): Promise<number> {
	const token = await world.token(`device-of-${tenant}`, { domainName: tenant });
	const body = { sensorId, metric: 'co2', value, seq: value, boot: 'a', ...HOME[tenant] };
	return (await world.call('POST', '/ingest', { token, body })).status;
}

async function sensors(tenant: Tenant): Promise<SensorStatus[]> {
	const token = await world.account({ domainName: tenant, role: 'business_staff' });
	return (await world.call('GET', '/devices', { token })).body.sensors as unknown as SensorStatus[];
}

describe('P14 a sensor id that another domain registered', () => {
	it("stays in its owner's list, as it was last heard, whatever another domain's device sends under it", async () => {
		expect(await send('acme', 'registered')).toBe(202);
		const [before] = await sensors('acme');
		expect(before).toMatchObject({ sensorId: 'registered', ...HOME.acme, domainName: 'acme' });
		await waitFor('the clock to go on', () => Date.now() > before!.lastSeen + 2);
		expect(await send('other', 'registered')).toBe(202);
		expect(await sensors('acme')).toEqual([before]);
		expect(await sensors('other')).toMatchObject([{ sensorId: 'registered', ...HOME.other, domainName: 'other' }]);
		// The same seq and boot are another device's: neither is taken for a repetition of the other.
		expect(await send('acme', 'registered')).toBe(202);
		expect((await world.stored()).map(({ buildingId }) => buildingId)).toEqual(['b1', 'foreign']);
	});

	it('is asked for by domain where a command would not know whose sensor is meant', async () => {
		for (const tenant of ['acme', 'other'] as const) expect(await send(tenant, 'of-both')).toBe(202);
		const operator = await world.account({ domainName: '*', role: 'admin' });
		const command = (query: string, token: string) =>
			world.call('POST', `/devices/of-both/command${query}`, { token, body: { name: 'blink' } });
		expect(await command('', operator)).toMatchObject({ status: 409, body: { error: { code: 'conflict' } } });
		expect((await command('?domain=acme', operator)).status).toBe(202);
		const staff = await world.account({ domainName: 'acme', role: 'business_staff' });
		expect((await command('', staff)).status).toBe(202);
		expect((await command('?domain=other', staff)).status).toBe(404);
	});
});
