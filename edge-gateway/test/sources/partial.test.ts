import { waitFor } from '@crowdvision/testing/wait';
import { encode } from 'cborg';
import { describe, expect, it, onTestFinished } from 'vitest';
import { encodeCobs } from '../../src/sources/framing/cobs.ts';
import { crc16 } from '../../src/sources/framing/crc16.ts';
import type { SerialConfig } from '../../src/sources/serial/serial-config.ts';
import { type GatewayWorld, openGatewayWorld } from '../../src/testing/gateway-world.ts';
import { serialLine } from '../../src/testing/serial-line.ts';

const HALL = { buildingId: 'b1', roomId: 'hall' };

async function gateway(serial: SerialConfig[] = []): Promise<GatewayWorld> {
	const world = await openGatewayWorld({ settings: { serial } });
	onTestFinished(async () => {
		expect(await world.metric('gateway_ledger_imbalance')).toBe(0);
		await world.stop();
	});
	return world;
}
const stored = async (world: GatewayWorld) =>
	(await world.stored()).map(({ sensorId, metric, value }) => `${sensorId} ${metric} ${value}`);
/** The rejected list, with the number of refused readings that the metrics count. */
async function refused(world: GatewayWorld, transport: string) {
	const list = (await world.rejected()).map(({ message }) => message);
	return {
		list,
		counted: await world.metric('gateway_readings_rejected_total', { transport, reason: 'invalid_reading' }),
	};
}
const cobsFrame = (value: object) => {
	const payload = Buffer.from(encode(value));
	const crc = crc16(payload);
	return Buffer.concat([encodeCobs(Buffer.concat([payload, Buffer.from([crc >> 8, crc & 0xff])])), Buffer.from([0])]);
};

describe('P13 one bad member of a message at a serial port', () => {
	it('costs itself only in a line of JSON, which is acknowledged', async () => {
		const line = await serialLine();
		const world = await gateway([{ path: line.path, defaults: { ...HALL, sensorId: 'porch' } }]);
		await line.send({ seq: 1, temperature: 21.5, humidity: 300, co2: 'unknown', battery: 'low' });
		await line.answered('ACK 1');
		expect(await stored(world)).toEqual(['porch temperature 21.5']);
		const { list, counted } = await refused(world, 'serial');
		expect(counted).toBe(2);
		expect(list.join()).toMatch(/humidity must be from 0 to 100 %, not 300 \(humidity of porch\)/);
		expect(list.join()).toContain('/battery');
		await line.send('{"seq":2,"temperature":nan,"humidity":44}');
		await line.answered('ACK 2');
		expect(await stored(world)).toEqual(['porch temperature 21.5', 'porch humidity 44']);
	});

	it('costs itself only in a row of CSV, also a text or an empty cell; no value at all is no fault', async () => {
		const line = await serialLine();
		const columns = ['seq', 'temperature', 'humidity', 'co2', 'peopleIn'];
		const csv = { columns, delimiter: ';', decimal: ',' } as const;
		const defaults = { ...HALL, sensorId: 'porch' };
		const world = await gateway([{ path: line.path, framing: 'csv', csv, defaults }]);
		await line.send('1;21,5;44;99999;2', '2;warm;45;;0', '3;nan;46;n/a;', '4;nan;;--;', '5;;47;;');
		for (const seq of [1, 2, 3, 5]) await line.answered(`ACK ${seq}`);
		expect(await stored(world)).toEqual([
			'porch peopleCount 2',
			'porch temperature 21.5',
			'porch humidity 44',
			...['porch peopleCount 2', 'porch humidity 45', 'porch humidity 46', 'porch humidity 47'],
		]);
		const { list, counted } = await refused(world, 'serial');
		expect(counted).toBe(2);
		expect(list).toHaveLength(2);
		expect(list.join()).toMatch(/\/co2 must be from 0 to 40000 ppm, not 99999 \(co2 of porch\)/);
		expect(list.join()).toMatch(/\/temperature .*warm/);
		expect(await world.metric('gateway_readings_ignored_total', { transport: 'serial', reason: 'no_value' })).toBe(1);
	});

	it('costs itself only in a frame of COBS and CBOR', async () => {
		const line = await serialLine();
		const defaults = { ...HALL, sensorId: 'porch' };
		const world = await gateway([{ path: line.path, framing: 'cobs', defaults }]);
		await line.sendBytes(cobsFrame({ seq: 1, temperature: Number.NaN, humidity: 44, noise: 500 }));
		await line.answered('ACK 1');
		expect(await stored(world)).toEqual(['porch humidity 44']);
		expect(await refused(world, 'serial')).toMatchObject({
			list: [expect.stringContaining('/noise must be from 0 to 160 dB, not 500 (noise of porch)')],
			counted: 1,
		});
	});
});

describe('P13 one bad member of NDJSON', () => {
	const LINES = [
		'{"sensorId":"n-1","buildingId":"b1","roomId":"hall","temperature":21.5,"humidity":300}',
		'',
		'\ufeff{"sensorId":"n-1","buildingId":"b1","roomId":"hall","temperature":nan,"co2":640}',
		'{"sensorId":"n-2","metric":"noise","value":null,"buildingId":"b1","roomId":"hall"}',
		'{"sensorId":"n-2","metric":"noise","value":41,"buildingId":"b1","roomId":"hall"}',
		'{"sensorId":"n-2","metric":"noise",',
	];
	const headers = { 'content-type': 'application/x-ndjson' };

	it('costs itself only with ?partial=1, and is in the answer, the list and the metrics', async () => {
		const world = await gateway();
		const token = await world.token('logger');
		const answer = await world.call('POST', '/ingest?partial=1', { token, headers, body: LINES.join('\n') });
		expect(answer.status).toBe(202);
		expect(answer.body).toMatchObject({
			accepted: 3,
			rejected: [
				{ index: 0, path: '/humidity', code: 'invalid_reading' },
				{ index: 2, path: '/value', code: 'no_value' },
				{ index: 4, path: '', code: 'invalid_reading' },
			],
		});
		expect(await stored(world)).toEqual(['n-1 temperature 21.5', 'n-1 co2 640', 'n-2 noise 41']);
		await waitFor('the list', async () => (await world.rejected()).length === 3);
		expect((await refused(world, 'http')).counted).toBe(2);
	});

	it('has all lines refused without it, with the first one that is wrong: a batch is whole or nothing', async () => {
		const world = await gateway();
		const token = await world.token('logger');
		const answer = await world.call('POST', '/ingest', { token, headers, body: LINES.slice(0, 3).join('\n') });
		expect(answer).toMatchObject({ status: 422, body: { error: { index: 0, code: 'invalid_reading' } } });
		expect(await stored(world)).toEqual([]);
		expect(await world.rejected()).toHaveLength(1);
	});
});
