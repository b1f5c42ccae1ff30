import { waitFor } from '@crowdvision/testing/wait';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { SerialConfig } from '../../src/sources/serial/serial-config.ts';
import {
	type GatewayWorld,
	type GatewayWorldOptions,
	heldDisk,
	openGatewayWorld,
	refusedAs,
} from '../../src/testing/gateway-world.ts';
import { type SerialLine, serialLine } from '../../src/testing/serial-line.ts';
import { whenStable } from '../../src/testing/when-stable.ts';

const DEFAULTS = { sensorId: 'door-3', buildingId: 'b1', roomId: 'hall' };
const reading = (seq: number, change: object = {}) => ({ metric: 'co2', value: 400 + seq, seq, ...change });

/** A gateway with one open port, and the device at the other end of the line. */
async function connected(
	port: Partial<SerialConfig> = { defaults: DEFAULTS },
	options: GatewayWorldOptions = {},
): Promise<{ world: GatewayWorld; line: SerialLine }> {
	const line = await serialLine();
	const serial = [{ path: line.path, ...port }];
	const world = await openGatewayWorld({ ...options, settings: { ...options.settings, serial } });
	onTestFinished(async () => {
		expect(await world.metric('gateway_ledger_imbalance', { ledger: 'source' })).toBe(0);
		await world.stop();
	});
	await opened(world);
	return { world, line };
}
const values = async (world: GatewayWorld) => (await world.stored()).map(({ value }) => value);

describe('a device on a serial line', () => {
	it('gets ACK for a reading with a seq once it is stored, also for a duplicate, and nothing without', async () => {
		const { world, line } = await connected();
		await line.send(
			{ metric: 'co2', value: 1 },
			reading(1),
			reading(2),
			reading(1),
			'',
			'\r',
			`${JSON.stringify(reading(3))}\r`,
		);
		await line.answered('ACK 3');
		expect(line.answers.toSorted()).toEqual(['ACK 1', 'ACK 1', 'ACK 2', 'ACK 3']);
		expect(await world.stored()).toMatchObject([
			{ value: 1, sensorId: 'door-3', buildingId: 'b1', roomId: 'hall', transport: 'serial' },
			{ value: 401, seq: 1 },
			{ value: 402 },
			{ value: 403 },
		]);
		expect(await world.rejected()).toEqual([]);
	});

	it('gets one ACK per seq for an array of readings, and for several metrics in one object', async () => {
		const { world, line } = await connected();
		await line.send([reading(1), reading(2)], { temperature: 20, humidity: 40, seq: 3 });
		await line.answered('ACK 3');
		expect(line.answers).toEqual(['ACK 1', 'ACK 2', 'ACK 3']);
		expect(await values(world)).toEqual([401, 402, 20, 40]);
	});

	it('gets NAK with the final reason for a refused reading, which is listed', async () => {
		const { world, line } = await connected();
		await line.send(
			reading(1, { value: -1 }),
			reading(2, { sensorId: 'another' }),
			reading(3, { buildingId: 'b2' }),
			reading(4),
		);
		await line.answered('ACK 4');
		expect(line.answers.toSorted()).toEqual(['ACK 4', 'NAK 1 invalid_reading', 'NAK 2 forbidden', 'NAK 3 forbidden']);
		expect(await values(world)).toEqual([404]);
		expect(await refusedAs(world, 'invalid_reading')).toMatchObject({
			transport: 'serial',
			source: line.path,
			path: '/value',
		});
	});

	it('that sends for several sensors must name the sensor, the place and the metric', async () => {
		const { world, line } = await connected({ sensorIds: ['a', 'b'] });
		const place = { buildingId: 'b1', roomId: 'hall' };
		await line.send(
			reading(1, { sensorId: 'a', ...place }),
			reading(2, { sensorId: 'c', ...place }),
			reading(3, { sensorId: 'b' }),
			reading(4, place),
		);
		await waitFor('four answers', () => line.answers.length === 4);
		expect(line.answers.toSorted()).toEqual([
			'ACK 1',
			'NAK 2 forbidden',
			'NAK 3 unknown_sensor',
			'NAK 4 invalid_reading',
		]);
		expect(await values(world)).toEqual([401]);
	});

	it('gets NAK log_full while the log is full, and ACK when it sends again once there is room', async () => {
		const { world, line } = await connected({ defaults: DEFAULTS }, { settings: { log: { maxBytes: 512 * 1024 } } });
		const cursor = await world.fillLog();
		await line.send(reading(1));
		await line.answered('NAK 1 log_full');
		cursor.commit(world.log.endOffset);
		await line.send(reading(1));
		await line.answered('ACK 1');
		expect(await values(world)).toEqual([401]);
	});
});

describe('garbage on a serial line', () => {
	it('costs the frame it is in, is counted and listed, and the next frame is stored', async () => {
		const { world, line } = await connected();
		const frame = Buffer.from(`${JSON.stringify(reading(2))}\n`);
		const torn = frame.subarray(0, 20);
		const noise = Buffer.from([0, 255, 254, 7, 13, 195]);
		await line.send(reading(1));
		await line.sendBytes(Buffer.concat([frame.subarray(0, 15), noise, frame.subarray(15)]));
		await line.sendBytes(Buffer.concat([torn, Buffer.from(`${JSON.stringify(reading(3))}\n`)]));
		await line.sendBytes(Buffer.from([...noise, 10]));
		await line.send('{}', 'null', '"x"', '5', reading(4));
		await line.answered('ACK 4');
		// Half a line and a whole one with no newline between them: the whole one is stored.
		expect(line.answers.toSorted()).toEqual(['ACK 1', 'ACK 3', 'ACK 4']);
		expect(await values(world)).toEqual([401, 403, 404]);
		const refused = (await world.rejected()).reverse();
		expect(refused.map(({ code }) => code)).toEqual([
			...Array(3).fill('not_json'),
			...Array(4).fill('invalid_reading'),
		]);
		expect(refused[0]!.sample).toBe(
			`hex ${Buffer.concat([frame.subarray(0, 15), noise, frame.subarray(15, -1)]).toString('hex')}`,
		);
		expect(await world.metric('gateway_readings_rejected_total', { transport: 'serial', reason: 'not_json' })).toBe(3);
	});

	it('with more nested brackets than the stack could hold costs that line only', async () => {
		const { world, line } = await connected();
		const nested = (open: string, close: string, depth: number) => `${open.repeat(depth)}1${close.repeat(depth)}`;
		await line.send(nested('[', ']', 32_000), nested('{"a":', '}', 10_000), reading(1));
		await line.answered('ACK 1');
		expect(await values(world)).toEqual([401]);
		await waitFor(
			'both to be listed',
			async () => (await world.rejected()).filter(({ code }) => code === 'invalid_reading').length === 2,
		);
	});

	it('in an id never turns it into another id', async () => {
		const { world, line } = await connected({});
		const [before, after] = JSON.stringify(reading(1, { sensorId: 's', buildingId: 'b1', roomId: 'hXll' })).split(
			'X',
		) as [string, string];
		await line.sendBytes(Buffer.concat([Buffer.from(before), Buffer.from([0xe1]), Buffer.from(`${after}\n`)]));
		expect(await refusedAs(world, 'not_json')).toMatchObject({ transport: 'serial' });
		expect(await world.stored()).toEqual([]);
	});

	it('without a newline costs one line, in bounded memory', async () => {
		const { world, line } = await connected();
		const junk = Buffer.alloc(16 * 1024, 'x');
		for (let i = 0; i < 20; i++) await line.sendBytes(junk);
		await line.send('', reading(1));
		await line.answered('ACK 1');
		expect(await refusedAs(world, 'not_json')).toMatchObject({
			message: expect.stringMatching(/^a frame of 327680 bytes is longer than the limit of 65536$/),
		});
		expect(await values(world)).toEqual([401]);
	});

	it('or readings, however many, wait on the line while the disk is slow, and no reading is lost', async () => {
		const disk = heldDisk();
		const { world, line } = await connected({ defaults: DEFAULTS }, { worker: disk.worker });
		const count = 5000;
		const sent = Array.from({ length: count }, (_, i) =>
			JSON.stringify(reading(i, { value: 1, note: 'x'.repeat(20) })),
		);
		disk.hold();
		const sending = line.send(...sent);
		const received = () => world.metric('gateway_readings_received_total', { transport: 'serial' });
		await waitFor('more than may be in flight', async () => (await received()) >= 256);
		// At most what may be in flight, and what a single read of the port yields.
		expect(await whenStable(received, 100)).toBeLessThanOrEqual(256 + (64 * 1024) / sent[0]!.length);
		expect(line.answers).toEqual([]);
		disk.release();
		await sending;
		await waitFor('every ACK', () => line.answers.length === count);
		expect(new Set(line.answers).size).toBe(count);
		expect(await world.stored()).toHaveLength(count);
	});

	it('in a flood leaves room for the readings in between', async () => {
		const { world, line } = await connected();
		const flood = Buffer.from('nonsense\n'.repeat(500));
		for (let i = 1; i <= 10; i++) {
			await line.sendBytes(flood);
			await line.send(reading(i));
		}
		await line.answered('ACK 10');
		await waitFor(
			'every line to be counted',
			async () => (await world.metric('gateway_readings_rejected_total', { transport: 'serial' })) === 5000,
		);
		expect(await values(world)).toEqual([401, 402, 403, 404, 405, 406, 407, 408, 409, 410]);
		expect((await world.rejected()).length).toBeLessThanOrEqual(200);
	});
});

describe('a serial port', () => {
	it('goes on after it was unplugged in the middle of a frame and plugged in again', async () => {
		const { world, line } = await connected();
		await line.send(reading(1));
		await line.answered('ACK 1');
		for (let i = 2; i <= 3; i++) {
			await line.sendBytes(Buffer.from('{"metric":"co2","va'));
			await line.unplug();
			await waitFor(
				'the port to be listed as disconnected',
				async () => (await devices(world))[0]?.connected === false,
			);
			expect(await world.call('GET', '/healthz')).toMatchObject({ status: 200 });
			await line.plug();
			await opened(world);
			await line.send(reading(i));
			await line.answered(`ACK ${i}`);
		}
		expect(await values(world)).toEqual([401, 402, 403]);
	});

	it('that is plugged in later is found, also by a pattern', async () => {
		const line = await serialLine(false);
		const world = await openGatewayWorld({
			settings: { serial: [{ glob: line.path.replace(/host$/, 'h?st'), defaults: DEFAULTS }] },
		});
		onTestFinished(() => world.stop());
		expect((await world.call('GET', '/readyz')).status).toBe(200);
		await line.plug();
		await opened(world);
		await line.send(reading(1));
		await line.answered('ACK 1');
	});

	it('that does not exist does not keep the gateway from stopping', async () => {
		const world = await openGatewayWorld({
			settings: { serial: [{ path: '/nowhere/at/all', defaults: DEFAULTS }, { path: '/dev/null' }] },
		});
		await world.stop();
	});
});

describe('a serial port that requires a token', () => {
	it('takes nothing before HELLO, and then only what the token permits', async () => {
		const { world, line } = await connected({ requireToken: true });
		const token = await world.token('serial-1', { sensorIds: ['s'] });
		const place = { buildingId: 'b1', roomId: 'hall' };
		await line.send(reading(1, { sensorId: 's', ...place }));
		await line.answered('NAK HELLO unauthenticated');
		for (const hello of ['HELLO', 'HELLO serial-1', 'HELLO serial-1 nonsense', `HELLO serial-2 ${token}`]) {
			const from = line.answers.length;
			await line.send(hello);
			await line.answered('NAK HELLO unauthenticated', from);
		}
		await line.send(`HELLO serial-1 ${token}`);
		await line.answered('OK');
		expect(await devices(world)).toMatchObject([{ id: line.path, connected: true, domainName: 'acme' }]);
		await line.send(reading(2, { sensorId: 's', ...place }), reading(3, { sensorId: 'other', ...place }));
		await line.answered('NAK 3 forbidden');
		await line.answered('ACK 2');
		expect(await values(world)).toEqual([402]);
		expect(JSON.stringify(await world.rejected())).not.toContain(token);
	});

	it('lets a device sign in again after a restart, and a failed sign-in ends the session before', async () => {
		const { world, line } = await connected({ requireToken: true, defaults: { buildingId: 'b1', roomId: 'hall' } });
		const hello = `HELLO serial-1 ${await world.token('serial-1', { sensorIds: ['s'] })}`;
		for (let i = 1; i <= 2; i++) {
			const from = line.answers.length;
			await line.send(hello);
			await line.answered('OK', from);
			await line.send(reading(i, { sensorId: 's' }));
			await line.answered(`ACK ${i}`);
		}
		await line.send('HELLO serial-1 nonsense');
		await line.answered('NAK HELLO unauthenticated');
		const from = line.answers.length;
		await line.send(reading(3, { sensorId: 's' }));
		await line.answered('NAK HELLO unauthenticated', from);
		expect(await values(world)).toEqual([401, 402]);
	});

	it('forgets its sender when it is unplugged', async () => {
		const { world, line } = await connected({ requireToken: true });
		await line.send(`HELLO serial-1 ${await world.token('serial-1', { sensorIds: ['s'] })}`);
		await line.answered('OK');
		await line.unplug();
		await waitFor('the port to be listed as disconnected', async () =>
			(await devices(world)).every((device) => !device.connected),
		);
		await line.plug();
		await opened(world);
		await line.send(reading(1, { sensorId: 's', buildingId: 'b1', roomId: 'hall' }));
		await line.answered('NAK HELLO unauthenticated');
		expect(await values(world)).toEqual([]);
	});
});

it('an unasked HELLO on a serial line is answered, and its token appears nowhere', async () => {
	const { world, line } = await connected();
	const token = await world.token('serial-1', { sensorIds: ['door-3'] });
	await line.send(`HELLO serial-1 ${token}`, 'HELLO serial-1 nonsense');
	await line.answered('OK');
	await line.answered('NAK HELLO unauthenticated');
	await line.send(reading(1));
	await line.answered('ACK 1');
	expect(await world.rejected()).toEqual([]);
});

/** Waits for the port to open: bytes sent to a port before that are lost, as on a real line. */
const opened = (world: GatewayWorld) =>
	waitFor('the port to be open', async () => (await devices(world)).some((device) => device.connected));

async function devices(world: GatewayWorld): Promise<{ id: string; connected: boolean }[]> {
	const token = await world.account({ domainName: 'acme', role: 'admin' });
	return (await world.call('GET', '/devices', { token })).body.devices as { id: string; connected: boolean }[];
}
