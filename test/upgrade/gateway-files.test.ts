import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type FromFixture, startGatewayAlone } from './from-fixture.ts';
import { ask } from './front-door.ts';

/** Files of the gateway in which nothing says whose a sensor is: its copy of the registry, and the adoptions. */
describe('P14 started on the files of the version before: the gateway alone', () => {
	let site: FromFixture;
	beforeAll(async () => {
		site = await startGatewayAlone();
	});
	afterAll(() => site?.stop());

	const send = (device: 'gate' | 'mill', sensorId: string, more: object = {}) => {
		const { token } = site.putIn.devices[device];
		const body = { sensorId, metric: 'humidity', value: 40, ...more };
		return ask<{ error?: { code: string; message: string } }>(site, 'POST', '/ingest', { token, body });
	};

	it.each(['thermo-1', 'stray-1', 'thermo-new'])('knows the place of the sensor %s, for its own domain', async (id) => {
		expect(await send('gate', id)).toMatchObject({ status: 202 });
		expect(await send('mill', id)).toMatchObject({ status: 422, body: { error: { code: 'unknown_sensor' } } });
		expect(await send('mill', id, { buildingId: 'mill', roomId: 'loft' })).toMatchObject({ status: 202 });
		expect(await send('mill', id, { buildingId: 'lyceum', roomId: 'hall' })).toMatchObject({ status: 403 });
	});

	it('knows that a sensor was replaced, in its own domain', async () => {
		const replaced = { error: { message: expect.stringContaining('replaced by "thermo-new"') } };
		expect(await send('gate', 'thermo-old')).toMatchObject({ status: 403, body: replaced });
		expect(await send('mill', 'thermo-old', { buildingId: 'mill', roomId: 'loft' })).toMatchObject({ status: 202 });
	});
});
