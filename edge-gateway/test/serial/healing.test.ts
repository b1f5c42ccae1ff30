import { spawnSync } from 'node:child_process';
import { waitFor } from '@crowdvision/testing/wait';
import { encode } from 'cborg';
import { describe, expect, it, onTestFinished } from 'vitest';
import { encodeCobs } from '../../src/sources/framing/cobs.ts';
import { crc16 } from '../../src/sources/framing/crc16.ts';
import type { SerialConfig } from '../../src/sources/serial/serial-config.ts';
import {
	type GatewayWorld,
	type GatewayWorldOptions,
	heldDisk,
	openGatewayWorld,
} from '../../src/testing/gateway-world.ts';
import { type SerialLine, serialLine } from '../../src/testing/serial-line.ts';
import { CH340, type Plugged, UsbTree } from '../../src/testing/usb-tree.ts';

/** Within this time a device that was plugged in again must be connected. */
const REPLUG_MS = 3000;
/** How often the counters are swapped; `SERIAL_SWAPS=200 npx vitest run …` for a long run. */
const SWAPS = Number(process.env.SERIAL_SWAPS ?? 8);
const SWAPS_MS = 60_000 + 5000 * SWAPS;

const HALL = { sensorId: 'hall-door', buildingId: 'b1', roomId: 'hall' };
const LAB = { sensorId: 'lab-door', buildingId: 'b1', roomId: 'lab' };
const SOCKETS = ['1-1.1', '1-1.2'] as const;

async function gateway(serial: SerialConfig[], root = '/', options: GatewayWorldOptions = {}): Promise<GatewayWorld> {
	const world = await openGatewayWorld({ ...options, settings: { ...options.settings, serial, serialRoot: root } });
	onTestFinished(async () => {
		expect(await world.metric('gateway_ledger_imbalance', { ledger: 'source' })).toBe(0);
		await world.stop();
	});
	return world;
}

interface Listed {
	id: string;
	connected: boolean;
	trouble?: string;
}

async function listed(world: GatewayWorld): Promise<Record<string, Listed>> {
	const token = await world.account({ domainName: 'acme', role: 'admin' });
	const { devices } = (await world.call('GET', '/devices', { token })).body as { devices: Listed[] };
	return Object.fromEntries(devices.map((device) => [device.id, device]));
}
const troubleOf = (world: GatewayWorld, id: string, pattern: RegExp) =>
	waitFor(`${id} to be listed with ${pattern}`, async () => pattern.exec((await listed(world))[id]?.trouble ?? ''));
const connected = (world: GatewayWorld, id: string) =>
	waitFor(`${id} to be connected`, async () => (await listed(world))[id]?.connected);

/** Sends a reading as a counter does: again and again until it is acknowledged. */
async function sendsUntilStored(line: SerialLine, value: number, seq: number, withinMs = REPLUG_MS): Promise<void> {
	const from = line.answers.length;
	await waitFor(
		`ACK ${seq}`,
		async () => {
			await line.send({ metric: 'co2', value, seq });
			return waitFor('an answer', () => line.answers.indexOf(`ACK ${seq}`, from) >= 0, 100).catch(() => false);
		},
		withinMs,
	);
}
const stored = async (world: GatewayWorld) =>
	(await world.stored()).map(({ sensorId, roomId, value }) => `${sensorId} in ${roomId}: ${value}`);

describe('P6 two counters that look alike', () => {
	it(
		'keep their rooms by their USB sockets, whatever the kernel calls them and however often they are swapped',
		async () => {
			const usb = new UsbTree();
			const entries = [
				{ path: UsbTree.byPath(SOCKETS[0]), defaults: HALL },
				{ path: UsbTree.byPath(SOCKETS[1]), defaults: LAB },
			];
			const world = await gateway(entries, usb.root);
			const expected: string[] = [];
			for (let swap = 0; swap < SWAPS; swap++) {
				// The first to be plugged in becomes ttyUSB0.
				const order = swap % 2 === 0 ? [0, 1] : [1, 0];
				const plugged: Plugged[] = [];
				for (const socket of order) plugged[socket] = await usb.plug(SOCKETS[socket]!);
				expect(plugged[order[0]!]!.name).toBe('ttyUSB0');
				for (const socket of [0, 1]) {
					const value = 1000 * (socket + 1) + swap;
					await sendsUntilStored(plugged[socket]!.line, value, 2 * swap + socket);
					expected.push(`${socket === 0 ? 'hall-door in hall' : 'lab-door in lab'}: ${value}`);
				}
				await Promise.all(plugged.map((device) => device.unplug()));
			}
			expect(await stored(world)).toEqual(expected);
		},
		SWAPS_MS,
	);

	it.each(['HELLO', 'a question of its own'])(
		'keep their rooms in any socket when they state their names, asked with %s',
		async (way) => {
			const usb = new UsbTree();
			const probe = way === 'HELLO' ? {} : { probe: 'who?\n', answer: '^I am ([a-z]+)$' };
			const entry = (device: string, defaults: typeof HALL): SerialConfig => ({
				usb: { vendorId: CH340.vendorId, productId: CH340.productId },
				identify: { device, every: '200ms', ...probe },
				defaults,
			});
			const world = await gateway([entry('alpha', HALL), entry('beta', LAB)], usb.root);
			const expected: string[] = [];
			for (let swap = 0; swap < SWAPS; swap++) {
				const plugged = [await usb.plug(SOCKETS[0]), await usb.plug(SOCKETS[1])];
				for (const [at, name] of (swap % 2 === 0 ? ['alpha', 'beta'] : ['beta', 'alpha']).entries()) {
					const { line } = plugged[at]!;
					await waitFor('the question', () => line.answers.includes(way === 'HELLO' ? 'HELLO?' : 'who?'));
					await line.send(way === 'HELLO' ? `HELLO ${name}` : `I am ${name}`);
					const value = (name === 'alpha' ? 1000 : 2000) + swap;
					await sendsUntilStored(line, value, 2 * swap + at);
					expected.push(`${name === 'alpha' ? 'hall-door in hall' : 'lab-door in lab'}: ${value}`);
				}
				await Promise.all(plugged.map((device) => device.unplug()));
			}
			expect(await stored(world)).toEqual(expected);
		},
		SWAPS_MS,
	);

	it('are both refused if either could be meant, and one alone is not taken for the other later', async () => {
		const usb = new UsbTree();
		const world = await gateway([{ path: UsbTree.byId(CH340), defaults: HALL }], usb.root);
		const first = await usb.plug(SOCKETS[0]);
		await sendsUntilStored(first.line, 1, 1);
		// udev gives the name to the second.
		const second = await usb.plug(SOCKETS[1]);
		const [reason] = await troubleOf(world, UsbTree.byId(CH340), /could be any of .* and .*;/);
		for (const socket of SOCKETS) expect(reason).toContain(UsbTree.byPath(socket));
		await first.unplug();
		const [laterReason] = await troubleOf(
			world,
			UsbTree.byId(CH340),
			/may be the wrong one of two devices that look alike.*$/,
		);
		expect(laterReason).toContain(UsbTree.byPath(SOCKETS[1]));
		await second.line.send({ metric: 'co2', value: 2, seq: 2 });
		await second.unplug();
		// The first device again, in its former socket.
		const again = await usb.plug(SOCKETS[0]);
		await sendsUntilStored(again.line, 3, 3);
		expect(await stored(world)).toEqual(['hall-door in hall: 1', 'hall-door in hall: 3']);
	});

	it('that state the same name are both refused', async () => {
		const usb = new UsbTree();
		const world = await gateway(
			[{ usb: { vendorId: CH340.vendorId }, identify: { device: 'alpha', every: '200ms' }, defaults: HALL }],
			usb.root,
		);
		const [one, other] = [await usb.plug(SOCKETS[0]), await usb.plug(SOCKETS[1])];
		for (const { line } of [one, other]) await line.answered('HELLO?');
		await one.line.send('HELLO alpha');
		await sendsUntilStored(one.line, 1, 1);
		await other.line.send('HELLO alpha');
		await other.line.answered('NAK HELLO unauthenticated');
		await waitFor('the first to be disputed', async () => (await listed(world)).alpha?.connected === false);
		await one.line.send({ metric: 'co2', value: 2, seq: 2 });
		await one.line.answered('NAK HELLO unauthenticated');
		await other.unplug();
		await one.line.send('HELLO alpha');
		await sendsUntilStored(one.line, 3, 3);
		expect(await stored(world)).toEqual(['hall-door in hall: 1', 'hall-door in hall: 3']);
	});

	it('are told apart even when they are swapped behind one adapter, as soon as the other states its name', async () => {
		const line = await serialLine();
		const entry = (device: string, defaults: typeof HALL) => ({
			path: line.path,
			identify: { device, every: '200ms' },
			defaults,
		});
		const world = await gateway([entry('alpha', HALL), entry('beta', LAB)]);
		await line.answered('HELLO?');
		await line.send('HELLO alpha');
		await sendsUntilStored(line, 1, 1);
		await line.send('HELLO beta');
		await sendsUntilStored(line, 2, 2);
		expect(await listed(world)).toMatchObject({ alpha: { connected: false }, beta: { connected: true } });
		await line.send('HELLO gamma', { metric: 'co2', value: 3, seq: 3 });
		await line.answered('NAK HELLO unauthenticated');
		expect(await stored(world)).toEqual(['hall-door in hall: 1', 'lab-door in lab: 2']);
	});

	it('are found in whichever socket they are if they have serial numbers', async () => {
		const usb = new UsbTree();
		const ftdi = (serialNumber: string) => ({
			vendorId: '0403',
			productId: '6001',
			model: 'FTDI_FT232R',
			serialNumber,
		});
		const entry = (serialNumber: string, defaults: typeof HALL) => ({
			usb: { vendorId: '0403', serialNumber },
			defaults,
		});
		const world = await gateway([entry('A1', HALL), entry('B2', LAB)], usb.root);
		for (let swap = 0; swap < 4; swap++) {
			const [a, b] = [
				await usb.plug(SOCKETS[swap % 2]!, ftdi('A1')),
				await usb.plug(SOCKETS[1 - (swap % 2)]!, ftdi('B2')),
			];
			await sendsUntilStored(a.line, 1000 + swap, swap);
			await sendsUntilStored(b.line, 2000 + swap, swap);
			await Promise.all([a.unplug(), b.unplug()]);
		}
		expect(await stored(world)).toEqual(
			[0, 1, 2, 3].flatMap((swap) => [`hall-door in hall: ${1000 + swap}`, `lab-door in lab: ${2000 + swap}`]),
		);
	});
});

describe('P6 a serial port', () => {
	it.each(['jsonl', 'csv', 'cobs'] as const)(
		'works again within 3 s after it was unplugged in mid-frame and plugged in again, with %s',
		async (framing) => {
			const { world, line, write } = await wired(framing);
			for (let i = 1; i <= 3; i++) {
				await connected(world, line.path);
				await line.sendBytes(write({ metric: 'co2', value: 400 + i, seq: i }));
				await line.answered(`ACK ${i}`);
				await line.sendBytes(write({ metric: 'co2', value: 999, seq: 99 }).subarray(0, -4));
				await line.unplug();
				await waitFor(
					'it to be listed as disconnected',
					async () => (await listed(world))[line.path]?.connected === false,
				);
				await line.plug();
				await waitFor('it to be connected again', async () => (await listed(world))[line.path]?.connected, REPLUG_MS);
			}
			expect((await world.stored()).map(({ value }) => value)).toEqual([401, 402, 403]);
		},
	);

	it('is reopened while its device is silent, then listed as stuck, and works again once it sends', async () => {
		const line = await serialLine();
		const world = await gateway([{ path: line.path, defaults: HALL, silentAfter: '100ms' }]);
		await troubleOf(world, line.path, /^stuck: the device sends nothing, although the port was reopened \d+ times$/);
		expect(await world.metric('gateway_serial_silences_total', { port: line.path })).toBeGreaterThanOrEqual(2);
		expect(await world.metric('gateway_serial_opened_total', { port: line.path })).toBeGreaterThanOrEqual(2);
		// Again and again, because what is sent while the port is closed is lost.
		await waitFor('the bytes to be reported', async () => {
			await line.sendBytes(Buffer.from('?????'));
			return /^stuck: \d+ bytes arrived, but no frame/.test((await listed(world))[line.path]?.trouble ?? '');
		});
		await sendsUntilStored(line, 400, 1, 15_000);
		await connected(world, line.path);
	});

	it('is read in portions when it floods, which is counted and listed, and loses nothing', async () => {
		const line = await serialLine();
		const world = await gateway([{ path: line.path, defaults: HALL, framesPerSecond: 200 }]);
		await connected(world, line.path);
		const sending = line.send(...Array.from({ length: 600 }, (_, seq) => ({ metric: 'co2', value: 1, seq })));
		await troubleOf(world, line.path, /^floods: the port sends more than 200 frames a second and is read in portions$/);
		expect((await listed(world))[line.path]?.connected).toBe(true);
		await sending;
		await waitFor('every ACK', () => line.answers.length === 600);
		expect(await world.metric('gateway_serial_floods_total', { port: line.path })).toBeGreaterThanOrEqual(1);
		expect(await world.stored()).toHaveLength(600);
	});

	it('that sends nothing but garbage has every line counted, but few of them written to disk', async () => {
		const line = await serialLine();
		const world = await gateway([{ path: line.path, defaults: HALL }]);
		await connected(world, line.path);
		await line.sendBytes(Buffer.from('nonsense\n'.repeat(1500)));
		const counted = () => world.metric('gateway_readings_rejected_total', { transport: 'serial', reason: 'not_json' });
		await waitFor('all of it to be counted', async () => (await counted()) === 1500);
		const listed = (await world.rejected()).length;
		expect(listed).toBeGreaterThanOrEqual(100);
		expect(listed).toBeLessThan(150);
		await sendsUntilStored(line, 400, 1, 15_000);
	});

	it('drops answers that a device does not read, and still stores what it sends', async () => {
		const line = await serialLine(true, true);
		const world = await gateway([{ path: line.path, defaults: HALL, framesPerSecond: 100_000 }]);
		await connected(world, line.path);
		const unwritten = () => world.metric('gateway_serial_unwritten_total', { port: line.path });
		let seq = 0;
		while ((await unwritten()) === 0) {
			await line.send(...Array.from({ length: 1000 }, () => ({ metric: 'co2', value: 1, seq: seq++ })));
			expect(seq).toBeLessThan(100_000);
		}
		await waitFor('all readings to be stored', async () => (await world.stored()).length === seq);
	});

	it('keeps DTR raised when it is closed, so that no board restarts, unless resetOnOpen is set', async () => {
		for (const resetOnOpen of [false, true]) {
			const line = await serialLine();
			const world = await gateway([{ path: line.path, defaults: HALL, resetOnOpen }]);
			await connected(world, line.path);
			const { stdout } = spawnSync('stty', ['-a', '-F', line.path], { encoding: 'utf8' });
			expect(stdout).toMatch(resetOnOpen ? /\shupcl\b/ : /-hupcl\b/);
		}
	});

	it('that another program holds is tried again until it is free', async () => {
		const line = await serialLine();
		const holder = await openGatewayWorld({ settings: { serial: [{ path: line.path, defaults: HALL }] } });
		onTestFinished(() => holder.stop());
		await connected(holder, line.path);
		const world = await gateway([{ path: line.path, defaults: HALL }]);
		await troubleOf(world, line.path, /lock/i);
		await holder.stop();
		await sendsUntilStored(line, 400, 1, 15_000);
	});
});

describe('P6 a serial frame', () => {
	it.each(['csv', 'cobs'] as const)(
		'in %s is acknowledged once it is on disk, and refused with its seq',
		async (framing) => {
			const disk = heldDisk();
			const { world, line, write } = await wired(framing, { worker: disk.worker });
			await connected(world, line.path);
			await line.sendBytes(write({ metric: 'co2', value: -5, seq: 1 }));
			await line.answered('NAK 1 invalid_reading');
			disk.hold();
			await line.sendBytes(write({ metric: 'co2', value: 400, seq: 2 }));
			const received = () => world.metric('gateway_readings_received_total', { transport: 'serial' });
			await waitFor('it to be received', async () => (await received()) === 2);
			expect(line.answers).toEqual(['NAK 1 invalid_reading']);
			disk.release();
			await line.answered('ACK 2');
			expect((await world.stored()).map(({ value, seq }) => [value, seq])).toEqual([[400, 2]]);
		},
	);

	it.each(['jsonl', 'csv', 'cobs'] as const)(
		'in %s that is damaged costs no other frame, and is counted and listed in hex',
		async (framing) => {
			const { world, line, write } = await wired(framing);
			await connected(world, line.path);
			const count = 40;
			const damaged = new Set([0, 7, 8, 20, 39]);
			const frames = Array.from({ length: count }, (_, index) => {
				const frame = write({ metric: 'co2', value: 400 + index, seq: index });
				if (damaged.has(index)) frame[Math.floor(frame.length / 2)] = 0xff;
				return frame;
			});
			await line.sendBytes(Buffer.concat(frames));
			const good = Array.from({ length: count }, (_, index) => index).filter((index) => !damaged.has(index));
			await waitFor('the good ones', () => line.answers.length === good.length);
			expect(new Set(line.answers)).toEqual(new Set(good.map((index) => `ACK ${index}`)));
			expect((await world.stored()).map(({ seq: stored }) => stored)).toEqual(good);
			const refused = await world.rejected();
			expect(refused).toHaveLength(damaged.size);
			for (const { code, sample, source } of refused) {
				expect({ code, source }).toEqual({ code: 'not_json', source: line.path });
				expect(sample).toMatch(/^hex [0-9a-f]*ff/);
			}
		},
	);
});

type Written = { metric: string; value: number; seq: number };

/** How a device writes a frame, with an end in front of it where the framing allows. */
const WRITERS: Record<'jsonl' | 'csv' | 'cobs', (reading: Written) => Buffer> = {
	jsonl: (reading) => Buffer.from(`${JSON.stringify(reading)}\n`),
	csv: ({ seq, metric, value }) => {
		const row = `${seq},${metric},${value}`;
		return Buffer.from(`\n${row}*${crc16(Buffer.from(row)).toString(16).padStart(4, '0')}\n`);
	},
	cobs: (reading) => {
		const payload = Buffer.from(encode(reading));
		const crc = crc16(payload);
		return Buffer.concat([
			Buffer.from([0]),
			encodeCobs(Buffer.from([...payload, crc >> 8, crc & 0xff])),
			Buffer.from([0]),
		]);
	},
};

async function wired(framing: 'jsonl' | 'csv' | 'cobs', options: GatewayWorldOptions = {}) {
	const line = await serialLine();
	const csv = { checksum: true, csv: { columns: ['seq', 'metric', 'value'] } };
	const world = await gateway(
		[{ path: line.path, framing, defaults: HALL, ...(framing === 'csv' ? csv : {}) }],
		'/',
		options,
	);
	return { world, line, write: WRITERS[framing] };
}
