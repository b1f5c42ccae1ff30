import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { type Alert, CHANNELS, TABLES } from '@crowdvision/contracts';
import { closeServer, createServer, listen } from '@crowdvision/service-kit';
import { readingOf } from '@crowdvision/testing/service-world';
import { waitFor, within } from '@crowdvision/testing/wait';
import { describe, expect, it } from 'vitest';
import { begin, building, countUp, MEMBER, next, open, service, useMuseum, world } from './testing/museum.ts';
import { startStallingProxy } from './testing/stalling-proxy.ts';

useMuseum();

describe('a subscription', () => {
	it('gets the readings of its building as they come, in order, each with its cursor', async () => {
		await begin();
		const dashboard = await open();
		expect(await dashboard.subscribe('museum-1')).toEqual({ ok: true, cursor: '0' });
		const positions: string[] = [];
		for (let n = 0; n < 20; n++)
			positions.push(
				...(
					await world.tell(...next(3), readingOf({ buildingId: 'zoo-1', roomId: 'hall', metric: 'co2', value: 1 }))
				).slice(0, 3),
			);
		await waitFor('all readings', () => dashboard.readings.length === 60);
		expect(dashboard.values()).toEqual(countUp(0, 60));
		expect(dashboard.readings.map(({ cursor }) => cursor)).toEqual(positions);
		expect(dashboard.readings[0]).toMatchObject({
			buildingId: 'museum-1',
			roomId: 'hall',
			unit: 'lx',
			transport: 'http',
		});
	});

	it('is refused for a building of another domain as for one that does not exist', async () => {
		await begin();
		const dashboard = await open();
		const [foreign, unknown] = await Promise.all([dashboard.subscribe('zoo-1'), dashboard.subscribe('nowhere')]);
		expect(foreign).toMatchObject({ ok: false, error: { code: 'not_found' } });
		expect(foreign).toEqual(unknown);
		const positions = await world.tell(
			readingOf({ buildingId: 'zoo-1', roomId: 'hall', metric: 'co2', value: 1 }),
			...next(1),
		);
		expect(await dashboard.subscribe('museum-1', positions[0])).toMatchObject({ ok: true });
		await waitFor('the own reading', () => dashboard.readings.length > 0);
		expect(dashboard.readings.map(({ buildingId }) => buildingId)).toEqual(['museum-1']);
	});

	it('is refused for an invalid request', async () => {
		await begin();
		const dashboard = await open();
		for (const request of [
			null,
			{},
			{ buildingId: 7 },
			{ buildingId: 'a/b' },
			{ buildingId: 'museum-1', cursor: 'x'.repeat(100) },
		]) {
			expect(
				await dashboard.socket.timeout(5000).emitWithAck('subscribe', request as { buildingId: string }),
			).toMatchObject({
				ok: false,
				error: { code: 'bad_request' },
			});
		}
		// With something else in place of the callback.
		dashboard.socket.emit('subscribe', { buildingId: 'museum-1' }, 'no function' as never);
		expect(await dashboard.subscribe('museum-1')).toMatchObject({ ok: true });
	});

	it('waits a moment for a building that was just created', async () => {
		await begin();
		const dashboard = await open();
		const outcome = dashboard.subscribe('museum-2');
		await world.parts.bus.retain(TABLES.buildings, 'museum-2', JSON.stringify(building('museum-2', 'museum')));
		expect(await outcome).toMatchObject({ ok: true });
	});

	it('ends when the building moves to another domain, or on request', async () => {
		await begin();
		const [leaving, staying] = [await open(), await open()];
		const both = await open(await world.token(MEMBER, { domainName: 'zoo', role: 'admin' }));
		for (const dashboard of [leaving, staying, both]) await dashboard.subscribe('museum-1');
		await world.tell(...next(1));
		await waitFor('the first reading', () => [leaving, staying, both].every(({ readings }) => readings.length === 1));
		expect(await leaving.socket.timeout(5000).emitWithAck('unsubscribe', { buildingId: 'museum-1' })).toEqual({
			ok: true,
		});
		await world.tell(...next(1));
		await waitFor('the second reading', () => [staying, both].every(({ readings }) => readings.length === 2));
		await world.parts.bus.retain(TABLES.buildings, 'museum-1', JSON.stringify(building('museum-1', 'zoo')));
		await world.tell(...next(1));
		await waitFor('the third reading', () => both.readings.length === 3);
		expect([leaving, staying, both].map(({ readings }) => readings.length)).toEqual([1, 2, 3]);
		expect([leaving, staying, both].map(({ ended }) => ended)).toEqual([
			[],
			[{ buildingId: 'museum-1', error: { code: 'not_found', message: 'There is no such building' } }],
			[],
		]);
	});
});

describe('a dashboard', () => {
	const alert = (domainNames: string[], more: Partial<Alert> = {}): Alert => ({
		id: randomUUID(),
		domainNames,
		buildingId: 'museum-1',
		roomId: 'hall',
		kind: 'occupancy',
		severity: 'critical',
		state: 'open',
		observedAt: Date.now(),
		message: 'Hall: 101 people',
		...more,
	});

	it('gets the alerts of its domains and no others', async () => {
		await begin();
		const [museum, zoo, nobody] = [
			await open(),
			await open(await world.token({ domainName: 'zoo', role: 'admin' })),
			await open(await world.token()),
		];
		const announce = (announced: Alert) => world.parts.bus.announce(CHANNELS.notifications, JSON.stringify(announced));
		const mine = alert(['museum/east']);
		const foreign = alert(['museum', 'zoo'], { buildingId: 'zoo-1' });
		const manual = alert(['museum', 'zoo'], { buildingId: 'everywhere', kind: 'manual' });
		const unseen = [alert([]), alert(['museum', 'zoo'], { buildingId: 'gone' })];
		for (const announced of [...unseen, mine, foreign]) await announce(announced);
		await world.parts.bus.announce(CHANNELS.notifications, 'no alert');
		await announce(manual);
		await waitFor('the last alert', () => museum.alerts.length > 1 && zoo.alerts.length > 1);
		expect(museum.alerts).toEqual([mine, manual]);
		expect(zoo.alerts).toEqual([foreign, manual]);
		expect(nobody.alerts).toEqual([]);
	});

	it('gets the reports of devices of its buildings, registered or known from a reading', async () => {
		await begin();
		const [museum, zoo] = [await open(), await open(await world.token({ domainName: 'zoo', role: 'admin' }))];
		await world.parts.bus.retain(
			TABLES.sensors,
			'door-1',
			JSON.stringify({ sensorId: 'door-1', buildingId: 'museum-1', roomId: 'hall' }),
		);
		await museum.subscribe('museum-1');
		await world.tell(readingOf({ buildingId: 'museum-1', roomId: 'hall', metric: 'co2', value: 1, sensorId: 'air-1' }));
		await waitFor('the reading', () => museum.readings.length > 0);
		const event = (sensorId: string) => ({ sensorId, state: 'online' as const, at: Date.now(), gatewayId: 'pi' });
		const events = ['unknown', 'door-1', 'air-1'].map(event);
		for (const report of events) await world.parts.bus.announce(CHANNELS.devices, JSON.stringify(report));
		await waitFor('the devices', () => museum.devices.length === 2);
		expect(museum.devices).toEqual(events.slice(1));
		expect(zoo.devices).toEqual([]);
	});
});

describe('the socket service on an HTTP server', () => {
	it('leaves upgrades of other paths alone, however long they take', async () => {
		await begin();
		const shared = createServer();
		service.service.attach?.(shared);
		shared.on('upgrade', (request, socket) => {
			// By default, Engine.IO ends the connection after a second.
			if (request.url === '/mqtt') setTimeout(() => socket.end('HTTP/1.1 101 Switching Protocols\r\n\r\n'), 1300);
		});
		const port = await listen(shared, 0, '127.0.0.1');
		const client = connect(port, '127.0.0.1');
		client.write('GET /mqtt HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
		const [answer] = await once(client, 'data');
		expect(String(answer)).toMatch(/^HTTP\/1.1 101 /);
		client.destroy();
		await closeServer(shared, 100);
	});

	it('stops promptly although connected dashboards do not react', async () => {
		await begin();
		const proxy = await startStallingProxy(service.url);
		const stalled = await open(undefined, proxy.url);
		await open(undefined, service.url, { transports: ['polling'] });
		await stalled.subscribe('museum-1');
		proxy.stall();
		await within('stopping', service.close());
		await proxy.close();
	});
});
