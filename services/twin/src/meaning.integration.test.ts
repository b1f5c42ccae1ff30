import { CHANNELS, FRESHNESS_MS, type Reading } from '@crowdvision/contracts';
import { readingOf } from '@crowdvision/testing/service-world';
import { waitFor } from '@crowdvision/testing/wait';
import { beforeEach, describe, expect, it } from 'vitest';
import { admin, HALL, history, onEachEngine, state, stateAt, twin, upload, useTwin, world } from './testing/museum.ts';

const HOUR = 3600_000;

onEachEngine((mongoUrl) => {
	useTwin(mongoUrl);

	describe('P13 right in meaning: a building', () => {
		beforeEach(() => upload());
		const device = async (sensorId: string, state: 'online' | 'offline', at: number) =>
			world.parts.bus.announce(CHANNELS.devices, JSON.stringify({ sensorId, state, at, gatewayId: 'test' }));

		it('shows what came after a reading from ahead, as live as it is, also where both come late', async () => {
			const now = Date.now();
			const count = (value: number, observedAt: number, receivedAt: number) =>
				readingOf({ ...HALL, metric: 'peopleCount', value, observedAt, receivedAt });
			const [ahead] = await world.tell(count(2, now + 20 * 3600_000, now - 2000));
			expect((await stateAt(ahead!)).rooms.hall!.values.peopleCount).toMatchObject({
				value: 2,
				observedAt: now - 2000,
				freshUntil: now - 2000 + FRESHNESS_MS,
			});
			const positions = await world.tell(count(25, now - 1000, now - 1000), count(26, now, now));
			expect((await stateAt(positions[1]!)).rooms.hall).toMatchObject({
				occupancy: 'overcrowded',
				values: { peopleCount: { value: 26, freshness: 'live', observedAt: now } },
			});
			const { points } = (await history(`room=hall&metric=peopleCount&from=${now - 60_000}&to=${now + 1}&bucket=1m`))
				.body;
			expect(points.length).toBeGreaterThan(0);
			const later = await history(`room=hall&metric=peopleCount&from=${now + 19 * 3600_000}&to=${now + 21 * 3600_000}`);
			expect(later.body.points.every(({ value }) => value === null)).toBe(true);
		});

		it('marks a device as offline by a report from ahead, which outranks nothing that comes after it', async () => {
			const at = Date.now() - 10_000;
			await stateAt(
				(await world.tell(readingOf({ ...HALL, metric: 'noise', value: 40, observedAt: at, sensorId: 'n' })))[0]!,
			);
			const freshness = (wanted: string) =>
				waitFor(wanted, async () => (await state()).rooms.hall!.values.noise!.freshness === wanted || undefined);
			await device('n', 'offline', Date.now() + 20 * HOUR);
			await freshness('offline');
			await device('n', 'online', Date.now() + 1000);
			await freshness('live');
		});

		it.each([6, 10, 60])('keeps the value of a sensor that sends every %s minutes live in between', async (every) => {
			const observedAt = Date.now() - every * 0.9 * 60_000;
			const freshFor = every * 150_000;
			const [position] = await world.tell(readingOf({ ...HALL, metric: 'co2', value: 900, observedAt, freshFor }));
			expect((await stateAt(position!)).rooms.hall!.values.co2).toMatchObject({
				...{ freshness: 'live', stale: false, freshFor },
				freshUntil: Math.round(observedAt) + freshFor,
			});
		});

		it('tells what people call a sensor, and that its value is at its limit', async () => {
			const wet = { ...HALL, metric: 'humidity' as const, value: 100, sensorId: 'z-0a1b2c' };
			const [position] = await world.tell(readingOf({ ...wet, sensorName: '客厅', clipped: true }));
			expect((await stateAt(position!)).rooms.hall!.values.humidity).toMatchObject({
				...{ value: 100, clipped: true, sensorId: 'z-0a1b2c', sensorName: '客厅' },
			});
			const other = readingOf({ ...HALL, metric: 'humidity', value: 40, sensorId: 'dry' });
			const [both] = await world.tell(other);
			expect((await stateAt(both!)).rooms.hall!.values.humidity).toMatchObject({
				value: 70,
				clipped: true,
				sensors: expect.arrayContaining([
					expect.objectContaining({ sensorName: '客厅', clipped: true }),
					expect.objectContaining({ sensorId: 'dry' }),
				]),
			});
			const registered = { sensorId: 'z-0a1b2c', roomId: 'hall' };
			await twin.call('POST', '/buildings/museum-1/sensors', { token: admin, body: registered });
			const { body } = await twin.call<{ sensors: object[] }>('GET', '/buildings/museum-1/sensors', { token: admin });
			expect(body.sensors).toEqual([{ ...registered, sensorName: '客厅' }]);
		});

		it('can be downloaded as CSV: each sample, and a line without a value where none was current', async () => {
			const at = Date.parse('2026-11-22T10:00:00Z');
			const one = (sensorId: string, minute: number, value: number, more: Partial<Reading> = {}) =>
				readingOf({ ...HALL, metric: 'temperature', sensorId, value, observedAt: at + minute * 60_000, ...more });
			const positions = await world.tell(
				one('t1', 0, -1.5),
				one('t1', 4, 20.25),
				one('t1', 30, 21),
				one('-cmd', 0, 7, { freshFor: 3600_000 }),
				one('-cmd', 59, 8, { freshFor: 3600_000 }),
				one('t1', 61, 99),
			);
			await stateAt(positions.at(-1)!);
			const range = `from=2026-11-22T10:00:00Z&to=2026-11-22T11:00:00Z`;
			const answer = await twin.call<string>('GET', `/buildings/museum-1/export?metric=temperature&${range}`, {
				token: admin,
			});
			expect(answer.headers.get('content-type')).toBe('text/csv; charset=utf-8; header=present');
			expect(answer.headers.get('content-disposition')).toBe(
				'attachment; filename=museum-1-temperature-2026-11-22-2026-11-22.csv',
			);
			const line = (time: string, sensor: string, value: number | '') =>
				`2026-11-22T10:${time}:00.000Z,hall,${sensor},${value},degC\r\n`;
			expect(answer.body.split('\r\n').toSorted()).toEqual(
				[
					'at,room,sensor,value,unit\r\n',
					line('00', "'-cmd", 7),
					line('59', "'-cmd", 8),
					line('00', 't1', -1.5),
					line('04', 't1', 20.25),
					line('09', 't1', ''),
					line('30', 't1', 21),
					line('35', 't1', ''),
				]
					.join('')
					.split('\r\n')
					.toSorted(),
			);
			const wrong = await twin.call('GET', '/buildings/museum-1/export?metric=mood', { token: admin });
			expect(wrong).toMatchObject({ status: 422, body: { error: { code: 'invalid', path: '/metric' } } });
			const stranger = await world.token({ domainName: 'zoo', role: 'admin' });
			expect((await twin.call('GET', '/buildings/museum-1/export?metric=co2', { token: stranger })).status).toBe(404);
		});
	});
});
