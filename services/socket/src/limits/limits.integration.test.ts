import { TABLES } from '@crowdvision/contracts';
import { waitFor, within } from '@crowdvision/testing/wait';
import { describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { LatestReadings } from '../feed/latest.ts';
import { Redeliveries } from '../feed/redeliveries.ts';
import { begin, building, MEMBER, next, open, service, useMuseum, world } from '../testing/museum.ts';
import { EventLimiter } from './limits.ts';

useMuseum();

const metric = async (name: string) => {
	const { body } = await service.call<string>('GET', '/metrics');
	const lines = body.split('\n').filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`));
	return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
};

describe('a dashboard', () => {
	it('is refused too many events per second, and disconnected if it goes on', async () => {
		await begin({ limits: { events: { atOnce: 5, perSecond: 1 } } });
		const dashboard = await open();
		const ask = () => dashboard.socket.timeout(5000).emitWithAck('unsubscribe', { buildingId: 'museum-1' });
		const answers = await Promise.all(Array.from({ length: 8 }, ask));
		expect(answers.map(({ ok }) => ok)).toEqual([true, true, true, true, true, false, false, false]);
		expect(answers.at(-1)).toMatchObject({ error: { code: 'rate_limited' } });
		for (let n = 0; n < 1100; n++) dashboard.socket.emit('unsubscribe', { buildingId: 'museum-1' });
		await waitFor('the end', () => dashboard.disconnected.length > 0);
	});

	it('is refused too many subscriptions, and unknown events', async () => {
		await begin({ limits: { subscriptions: 1 } });
		await world.parts.bus.retain(TABLES.buildings, 'museum-2', JSON.stringify(building('museum-2', 'museum')));
		const dashboard = await open();
		expect(await dashboard.subscribe('museum-1')).toMatchObject({ ok: true });
		expect(await dashboard.subscribe('museum-2')).toMatchObject({ ok: false, error: { code: 'rate_limited' } });
		expect(await dashboard.subscribe('museum-1')).toMatchObject({ ok: true });
		const unknown = await dashboard.socket
			.timeout(5000)
			.emitWithAck('__proto__' as 'unsubscribe', { buildingId: 'museum-1' });
		expect(unknown).toEqual({
			ok: false,
			error: { code: 'bad_request', message: 'Events are subscribe, unsubscribe, renew' },
		});
	});

	it('is disconnected when it sends too large a message', async () => {
		await begin({ limits: { messageBytes: 2000 } });
		const dashboard = await open();
		dashboard.socket.emit('unsubscribe', { buildingId: 'x'.repeat(3000) });
		await waitFor('the end', () => dashboard.disconnected.length > 0);
	});

	it('is refused beyond the limits of its account and of its address', async () => {
		await begin({ limits: { perAccount: 2, perAddress: 3 } });
		const token = await world.token(MEMBER);
		const [first] = [await open(token), await open(token)];
		const refused = { error: { code: 'rate_limited' } };
		await expect(open(token)).rejects.toMatchObject(refused);
		// The refused connection counts until it is closed.
		await waitFor('the third from this address', () => open());
		const { status, body } = await service.call('GET', '/socket.io/?EIO=4&transport=polling');
		expect([status, body]).toMatchObject([429, refused]);
		first!.close();
		await waitFor('room for another', () => open(token));
	});
});

describe('a dashboard that never reads', () => {
	it('is disconnected before it fills the memory, and does not disturb others', async () => {
		await begin({ everyMs: 5, limits: { stalledMs: 500 } });
		const quick = await open();
		await quick.subscribe('museum-1');
		// A client that answers nothing and reads nothing.
		const deaf = new WebSocket(`${service.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`);
		await new Promise((resolve) => deaf.once('open', resolve));
		const token = await world.token(MEMBER);
		deaf.send(`40${JSON.stringify({ token })}`);
		await waitFor('it being in', async () => (await metric('socket_dashboards')) === 2);
		deaf.send(`420${JSON.stringify(['subscribe', { buildingId: 'museum-1' }])}`);
		await new Promise((resolve) => deaf.once('message', resolve));
		deaf.pause();
		const large = { gatewayId: 'g'.repeat(20_000) };
		let conflated = 0;
		await waitFor(
			'its end',
			async () => {
				await world.tell(...next(20, large));
				conflated = Math.max(conflated, await metric('socket_conflated'));
				return (await metric('socket_dashboards')) === 1;
			},
			30_000,
		);
		expect(conflated).toBe(1);
		expect(await metric('socket_conflated')).toBe(0);
		const { length } = quick.readings;
		await world.tell(...next(1));
		await waitFor('the other', () => quick.readings.length > length);
		expect(quick.superseded).toEqual([]);
		expect(await metric('socket_delay_seconds_count')).toBeGreaterThan(0);
		deaf.terminate();
		await within(
			'its socket',
			new Promise<void>((resolve) =>
				deaf.readyState === deaf.CLOSED ? resolve() : deaf.once('close', () => resolve()),
			),
		);
	});
});

describe('the limits of the socket service', () => {
	it('refill the bucket of events at a steady rate', () => {
		const limiter = new EventLimiter({ atOnce: 2, perSecond: 1 }, 0);
		limiter.take(0);
		limiter.take(0);
		expect(() => limiter.take(500)).toThrow(/Too many/);
		limiter.take(1500);
		expect(() => limiter.take(1500)).toThrow(/Too many/);
	});

	it('drop the oldest of the latest readings', () => {
		const latest = new LatestReadings(2);
		const reading = (roomId: string, cursor: string) =>
			({ buildingId: 'b', roomId, metric: 'co2', observedAt: 1, cursor }) as never;
		for (const [roomId, cursor] of [
			['a', '1'],
			['b', '2'],
			['a', '3'],
			['c', '4'],
		] as const)
			latest.add(reading(roomId, cursor));
		const compare = (a: string, b: string) => Number(a) - Number(b);
		expect(latest.between('b', '0', '9', compare).map(({ cursor }) => cursor)).toEqual(['3', '4']);
		expect(latest.between('b', '3', '4', compare).map(({ cursor }) => cursor)).toEqual(['4']);
	});

	it('recognize a redelivered reading by its offset in the log', () => {
		const redeliveries = new Redeliveries();
		expect(['a-1', 'a-2', 'b-1', 'a-2', 'a-1', 'a-3', 'x', 'x'].map((id) => redeliveries.has(id))).toEqual([
			false,
			false,
			false,
			true,
			true,
			false,
			false,
			false,
		]);
	});
});
