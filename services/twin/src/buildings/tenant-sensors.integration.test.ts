import { type RetainedSensor, TABLES } from '@crowdvision/contracts';
import { beforeEach, describe, expect, it } from 'vitest';
import { admin, MUSEUM, onEachEngine, room, twin, upload, useTwin, world } from '../testing/museum.ts';

let zoo: string;
const ZOO = { id: 'zoo-1', domains: ['zoo'], rooms: [room('hall'), room('pond')] };

const register = (buildingId: string, token: string, body: object = { sensorId: 'eye', roomId: 'hall' }) =>
	twin.call('POST', `/buildings/${buildingId}/sensors`, { token, body });
const list = async (buildingId: string, token: string) =>
	(await twin.call('GET', `/buildings/${buildingId}/sensors`, { token })).body;

async function table(): Promise<Record<string, RetainedSensor>> {
	const found: Record<string, RetainedSensor> = {};
	const watch = await world.parts.bus.watch(TABLES.sensors, (key, value) => {
		if (value !== null) found[key] = JSON.parse(value) as RetainedSensor;
	});
	await watch.close();
	return found;
}

onEachEngine((mongoUrl) => {
	useTwin(mongoUrl);

	describe('P14 sensors of one id in two domains', () => {
		beforeEach(async () => {
			zoo = await world.token({ domainName: 'zoo', role: 'business_admin' });
			await upload();
			await upload(ZOO, zoo);
		});

		it('are registered side by side, moved and removed each by its own domain only', async () => {
			expect((await register('museum-1', admin)).status).toBe(201);
			expect(await register('zoo-1', zoo, { sensorId: 'eye', roomId: 'pond' })).toMatchObject({
				status: 201,
				body: { sensorId: 'eye', buildingId: 'zoo-1', roomId: 'pond' },
			});
			expect(await table()).toEqual({
				eye: { sensorId: 'eye', buildingId: 'museum-1', roomId: 'hall' },
				'zoo-1/eye': { sensorId: 'eye', buildingId: 'zoo-1', roomId: 'pond' },
			});
			expect((await register('zoo-1', zoo)).status).toBe(201);
			expect(await list('zoo-1', zoo)).toEqual({ sensors: [{ sensorId: 'eye', roomId: 'hall' }] });
			expect((await twin.call('DELETE', '/buildings/museum-1/sensors/eye', { token: admin })).status).toBe(204);
			expect(await list('museum-1', admin)).toEqual({ sensors: [] });
			expect(Object.keys(await table())).toEqual(['zoo-1/eye']);
			expect((await register('museum-1', admin)).status).toBe(201);
			expect(Object.keys(await table()).sort()).toEqual(['eye', 'zoo-1/eye']);
		});

		it('are refused twice within one domain, also when two registrations come at once', async () => {
			const zoo2 = { ...ZOO, id: 'zoo-2', domains: ['zoo/aquarium'] };
			expect((await upload(zoo2, zoo)).status).toBe(201);
			await register('museum-1', admin);
			const both = await Promise.all(['zoo-1', 'zoo-2'].map((id) => register(id, zoo)));
			expect(both.map(({ status }) => status).sort()).toEqual([201, 409]);
		});

		it('keep a building from passing to a domain that has one of the same id', async () => {
			const both = await world.token(
				{ domainName: 'zoo', role: 'business_admin' },
				{ domainName: 'museum', role: 'business_admin' },
			);
			await register('museum-1', admin);
			await register('zoo-1', zoo);
			const share = () => twin.call('PATCH', '/buildings/zoo-1', { token: both, body: { domains: ['zoo', 'museum'] } });
			expect(await share()).toMatchObject({ status: 409, body: { error: { code: 'conflict', path: '/domains' } } });
			await twin.call('DELETE', '/buildings/museum-1/sensors/eye', { token: admin });
			expect((await share()).status).toBe(200);
			// It is the museum's now, too.
			expect((await register('museum-1', admin)).status).toBe(409);
		});

		it('are forgotten with their own building only', async () => {
			await register('museum-1', admin);
			await register('zoo-1', zoo);
			expect((await twin.call('DELETE', '/buildings/museum-1', { token: admin })).status).toBe(204);
			expect(await list('zoo-1', zoo)).toEqual({ sensors: [{ sensorId: 'eye', roomId: 'hall' }] });
			await upload(MUSEUM);
			expect(await list('museum-1', admin)).toEqual({ sensors: [] });
		});
	});
});
