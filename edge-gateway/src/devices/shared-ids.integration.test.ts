import {
	firstGeneration,
	nextGeneration,
	type RetainedSensor,
	type SensorStatus,
	TABLES,
} from '@crowdvision/contracts';
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

/** Registers sensors as twin does, under keys that say nothing. */
async function register(...sensors: RetainedSensor[]): Promise<void> {
	for (const [index, sensor] of sensors.entries())
		await world.bus.retain(TABLES.sensors, `key-${index}/eye`, JSON.stringify(sensor));
}

const tokenOf = (tenant: Tenant) => world.token(`device-of-${tenant}`, { domainName: tenant });
async function sendBare(tenant: Tenant, sensorId: string, seq: number): Promise<number> {
	const body = { sensorId, metric: 'co2', value: 420, seq, boot: 'a' };
	return (await world.call('POST', '/ingest', { token: await tokenOf(tenant), body })).status;
}
const staffOf = (tenant: Tenant) => world.account({ domainName: tenant, role: 'business_staff' });

describe('P14 a sensor of one id in two domains', () => {
	it('sends into the room where its own domain registered it, and is known to its own domain only', async () => {
		await register({ sensorId: 'eye', ...HOME.acme }, { sensorId: 'eye', ...HOME.other });
		for (const tenant of ['acme', 'other'] as const)
			await waitFor('the registration', async () => (await sendBare(tenant, 'eye', 1)) === 202);
		// Neither is a repetition of the other.
		expect((await world.stored()).map(({ buildingId }) => buildingId)).toEqual(['b1', 'foreign']);
		for (const tenant of ['acme', 'other'] as const)
			expect(await sensors(tenant)).toMatchObject([{ sensorId: 'eye', ...HOME[tenant], domainName: tenant }]);
		await world.bus.retain(TABLES.sensors, 'key-0/eye', null);
		await waitFor('it to be unregistered', async () => (await sendBare('acme', 'eye', 2)) === 422);
		expect(await sendBare('other', 'eye', 2)).toBe(202);
	});

	it('is adopted, replaced and retired in each domain for itself', async () => {
		for (const tenant of ['acme', 'other'] as const) {
			expect(await sendBare(tenant, 'new', 1)).toBe(422);
			const token = await staffOf(tenant);
			const adopted = await world.call('POST', '/devices/new/adopt', { token, body: HOME[tenant] });
			expect(adopted).toMatchObject({ status: 200, body: HOME[tenant] });
			expect(await sendBare(tenant, 'new', 1)).toBe(202);
		}
		const operator = await world.account({ domainName: '*', role: 'admin' });
		const replace = (query: string) =>
			world.call('POST', `/devices/new/replace${query}`, { token: operator, body: { by: 'newer' } });
		expect((await replace('')).status).toBe(409);
		expect(await replace('?domain=acme')).toMatchObject({ status: 200, body: HOME.acme });
		expect([await sendBare('acme', 'new', 2), await sendBare('other', 'new', 2)]).toEqual([403, 202]);
		expect([await sendBare('acme', 'newer', 1), await sendBare('other', 'newer', 1)]).toEqual([202, 422]);
	});

	it('is traced for its own domain, and for an operator of several by domain', async () => {
		for (const tenant of ['acme', 'other'] as const) expect(await send(tenant, 'eye')).toBe(202);
		const trace = async (query: string, token: string) => {
			const { status, text } = await world.call('GET', `/trace?sensor=eye${query}`, { token });
			return [status, text.includes('b1/hall'), text.includes('foreign/hall')];
		};
		expect(await trace('', await staffOf('acme'))).toEqual([200, true, false]);
		expect(await trace('', await staffOf('other'))).toEqual([200, false, true]);
		const operator = await world.account({ domainName: '*', role: 'admin' });
		expect((await trace('', operator))[0]).toBe(409);
		expect(await trace('&domain=other', operator)).toEqual([200, false, true]);
	});
});

describe('P14 a device token for one building', () => {
	it('is not good for a later building of its id, whoever owns that', async () => {
		const now = Date.now();
		const first = firstGeneration(now - 60_000);
		const later = nextGeneration(now, 0.5, first);
		const retain = (generation: string, since?: number) =>
			world.bus.retain(
				TABLES.buildings,
				'b1',
				JSON.stringify({
					id: 'b1',
					name: 'b1',
					domains: ['acme'],
					rooms: [{ id: 'hall', capacity: 1 }],
					generation,
					since,
				}),
			);
		const scope = { domainName: 'acme', buildingId: 'b1' };
		const sent = async (token: string) => {
			const body = { sensorId: 'eye', metric: 'co2', value: 420, ...HOME.acme };
			const { status, text } = await world.call('POST', '/ingest', { token, body });
			return `${status}${text.includes('was removed since') ? ' removed' : ''}`;
		};
		const [old, next, unmarked] = [
			await world.token('old', { ...scope, generation: first }),
			await world.token('next', { ...scope, generation: later }),
			await world.token('unmarked', scope),
		];
		await retain(first);
		expect(await sent(old)).toBe('202');
		expect(await sent(unmarked)).toBe('202');
		await retain(later, now);
		await waitFor('the gateway to know', async () => (await sent(old)) === '403 removed');
		expect(await sent(next)).toBe('202');
		// One of an earlier version is judged by when it was issued, to the second.
		await retain(nextGeneration(now + 60_000, 0.5, later), now + 60_000);
		await waitFor('the gateway to know', async () => (await sent(unmarked)) === '403 removed');
	});
});
