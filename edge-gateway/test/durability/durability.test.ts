import { waitFor } from '@crowdvision/testing/wait';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
	breakableDisk,
	type GatewayWorld,
	type GatewayWorldOptions,
	heldDisk,
	openGatewayWorld,
} from '../../src/testing/gateway-world.ts';
import { type RawMqtt, rawSignedIn } from '../../src/testing/mqtt-clients.ts';
import { type SerialLine, serialLine } from '../../src/testing/serial-line.ts';
import { type SensorSocket, sensorSocket, type Taken } from '../../src/testing/socketio-client.ts';

/**
 * A gateway and one device on each way in. Each message reports one crossing, so that a reading that is stored twice or
 * lost also shows in the count.
 */
class Building {
	readonly world: GatewayWorld;
	readonly line: SerialLine;
	readonly socket: SensorSocket;
	readonly mqtt: RawMqtt;
	readonly #token: string;
	/** The answers, in order: `http 202`, `mqtt 7`, `serial ACK 7`, `socket.io ok`. */
	readonly answers: string[] = [];
	/** How many readings were durable when each of these answers came. */
	readonly durableThen: number[] = [];

	private constructor(parts: {
		world: GatewayWorld;
		line: SerialLine;
		socket: SensorSocket;
		mqtt: RawMqtt;
		token: string;
	}) {
		this.world = parts.world;
		this.line = parts.line;
		this.socket = parts.socket;
		this.mqtt = parts.mqtt;
		this.#token = parts.token;
	}

	static async open(options: GatewayWorldOptions): Promise<Building> {
		const line = await serialLine();
		const world = await openGatewayWorld({
			...options,
			settings: { serial: [{ path: line.path, defaults: { buildingId: 'b1', roomId: 'hall' } }] },
		});
		onTestFinished(() => world.stop());
		const token = await world.token('device');
		const socket = await sensorSocket(world.url, { token }, { transports: ['websocket'] });
		const mqtt = await rawSignedIn(world, 'device', token);
		await waitFor('the port to be open', async () => {
			const { body } = await world.call('GET', '/devices', {
				token: await world.account({ domainName: 'acme', role: 'admin' }),
			});
			return (body.devices as { transport: string; connected: boolean }[]).some(
				(one) => one.transport === 'serial' && one.connected,
			);
		});
		return new Building({ world, line, socket, mqtt, token });
	}

	/** Sends one crossing on each way in, without waiting for an answer. */
	send(seq: number): void {
		const crossing = (sensorId: string) => ({
			sensorId,
			metric: 'peopleIn',
			value: 1,
			seq,
			buildingId: 'b1',
			roomId: 'hall',
		});
		void this.world.call('POST', '/ingest', { token: this.#token, body: crossing('http') }).then((answer) => {
			const { error } = answer.body;
			this.#answered(`http ${answer.status}${error ? ` ${error.code} ${answer.headers.get('retry-after')}` : ''}`);
		});
		this.socket.emit('reading', crossing('socket.io'), (answer: Taken) =>
			this.#answered(`socket.io ${answer.ok ? 'ok' : answer.error.code}`),
		);
		this.mqtt.send({
			cmd: 'publish',
			topic: 'telemetry/b1/hall/mqtt',
			payload: JSON.stringify(crossing('mqtt')),
			qos: 1,
			messageId: seq,
			dup: false,
			retain: false,
		});
		void this.mqtt.next('puback').then(
			({ messageId }) => this.#answered(`mqtt ${messageId}`),
			() => undefined,
		);
		const from = this.line.answers.length;
		void this.line.send(crossing('serial'));
		void waitFor('an answer on the line', () => this.line.answers[from]).then(
			(answer) => this.#answered(`serial ${answer}`),
			() => undefined,
		);
	}

	#answered(what: string): void {
		this.answers.push(what);
		this.durableThen.push(this.world.log.endOffset);
	}

	/** How many readings have arrived on each way in. */
	async received(): Promise<number[]> {
		const ways = ['serial', 'mqtt', 'http', 'socket.io'];
		return Promise.all(ways.map((transport) => this.world.metric('gateway_readings_received_total', { transport })));
	}

	async counts(): Promise<{ stored: Record<string, number>; people: number }> {
		const readings = await this.world.stored();
		const stored: Record<string, number> = {};
		for (const { sensorId } of readings) stored[sensorId] = (stored[sensorId] ?? 0) + 1;
		return { stored, people: readings.at(-1)?.value ?? 0 };
	}
}

const ACKNOWLEDGED = ['http 202', 'mqtt 1', 'serial ACK 1', 'socket.io ok'];
const EACH_ONCE = { serial: 1, mqtt: 1, http: 1, 'socket.io': 1 };

describe('P1 acknowledged is durable, on every way in', () => {
	it('no way in acknowledges before the commit, however long the commit takes', async () => {
		const disk = heldDisk();
		const building = await Building.open({ worker: disk.worker });
		disk.hold();
		building.send(1);
		await waitFor('all four to arrive', async () => (await building.received()).every((count) => count === 1));
		// Enough time for a wrong acknowledgement: dozens of other requests are answered.
		for (let i = 0; i < 30; i++) expect((await building.world.call('GET', '/healthz')).status).toBe(200);
		expect(building.answers).toEqual([]);
		expect(building.world.log.endOffset).toBe(0);
		disk.release();
		await waitFor('all four answers', () => building.answers.length === 4);
		expect(building.answers.toSorted()).toEqual(ACKNOWLEDGED);
		expect(await building.counts()).toEqual({ stored: EACH_ONCE, people: 4 });
	});

	it('with an fsync of 150 ms, an acknowledged reading can be read at once', async () => {
		const building = await Building.open({ faults: { fsyncDelayMs: 150 } });
		building.send(1);
		await waitFor('all four answers', () => building.answers.length === 4);
		for (const [before, durable] of building.durableThen.entries()) expect(durable).toBeGreaterThan(before);
		expect(building.answers.toSorted()).toEqual(ACKNOWLEDGED);
		expect(await building.counts()).toEqual({ stored: EACH_ONCE, people: 4 });
	});

	it('acknowledges nothing while the disk refuses writes, and stores each reading once when it recovers', async () => {
		const disk = breakableDisk();
		const building = await Building.open({ faults: disk.faults });
		const { world } = building;
		disk.breakDown();
		building.send(1);
		await waitFor('the refusals', () => building.answers.length === 3);
		expect(building.answers.toSorted()).toEqual([
			'http 503 unavailable 2',
			'serial NAK 1 unavailable',
			'socket.io unavailable',
		]);
		const notReady = await world.call('GET', '/readyz');
		expect(notReady).toMatchObject({
			status: 503,
			body: { error: { code: 'unavailable', message: expect.stringMatching(/no space left/) } },
		});
		expect((await world.call('GET', '/healthz')).status).toBe(200);
		const deferred = () => world.metric('gateway_readings_deferred_total', { transport: 'mqtt' });
		await waitFor('MQTT to try again', async () => (await deferred()) >= 3);
		expect(building.mqtt.isClosed()).toBe(false);
		expect(building.answers).toHaveLength(3);
		expect(await building.counts()).toEqual({ stored: {}, people: 0 });

		disk.mend();
		await waitFor('the PUBACK', () => building.answers.includes('mqtt 1'));
		building.answers.length = 0;
		// The refused devices send again, and so does the MQTT device, as if its PUBACK had been lost.
		building.send(1);
		await waitFor('all four answers', () => building.answers.length === 4);
		expect(building.answers.toSorted()).toEqual(ACKNOWLEDGED);
		expect(await building.counts()).toEqual({ stored: EACH_ONCE, people: 4 });
		expect((await world.call('GET', '/readyz')).status).toBe(200);
		expect(await world.metric('gateway_ledger_imbalance')).toBe(0);
		building.answers.length = 0;
		building.send(2);
		await waitFor('all four answers', () => building.answers.length === 4);
		expect((await building.counts()).people).toBe(8);
	});

	it('an acknowledged reading survives a crash', async () => {
		const disk = heldDisk();
		const building = await Building.open({ worker: disk.worker });
		building.send(1);
		await waitFor('all four answers', () => building.answers.length === 4);
		disk.hold();
		building.send(2);
		await waitFor('the next four to arrive', async () => (await building.received()).every((count) => count === 2));
		const again = await openGatewayWorld({ copyOf: building.world.dataDir });
		onTestFinished(() => again.stop());
		disk.release();
		expect((await again.stored()).map(({ sensorId }) => sensorId).sort()).toEqual(Object.keys(EACH_ONCE).sort());
		const duplicate = { sensorId: 'http', metric: 'peopleIn', value: 1, seq: 1, buildingId: 'b1', roomId: 'hall' };
		const token = await again.token('device');
		expect((await again.call('POST', '/ingest', { token, body: duplicate })).status).toBe(202);
		expect((await again.call('POST', '/ingest', { token, body: { ...duplicate, seq: 2 } })).status).toBe(202);
		const stored = await again.stored();
		expect([stored.length, stored.at(-1)!.value]).toEqual([5, 5]);
	});
});

describe('with an fsync of 150 ms and a steady flow of readings', () => {
	it('MQTT keepalives and HTTP requests are answered while commits are under way', async () => {
		let underWay = 0;
		let commits = 0;
		const building = await openGatewayWorld({
			faults: { fsyncDelayMs: 150 },
			worker: (real) => ({
				async send(request) {
					underWay++;
					const answer = await real.send(request);
					underWay--;
					commits++;
					return answer;
				},
				close: () => real.close(),
			}),
		});
		onTestFinished(() => building.stop());
		const token = await building.token('d', { sensorIds: ['s'] });
		const during = { pings: 0, pingsOfPublisher: 0, healthz: 0 };
		let going = true;
		const until = async (step: () => Promise<void>) => {
			while (going) await step();
		};
		const idle = await rawSignedIn(building, 'd', token);
		const publisher = await rawSignedIn(building, 'd', token, 'publisher');
		let messageId = 0;
		const count = (what: keyof typeof during) => {
			if (underWay > 0) during[what]++;
		};
		const loops = [
			until(async () => {
				publisher.send({
					cmd: 'publish',
					topic: 'telemetry/b1/hall/s/co2',
					payload: '400',
					qos: 1,
					messageId: ++messageId,
					dup: false,
					retain: false,
				});
				await publisher.next('puback');
			}),
			until(async () => {
				idle.send({ cmd: 'pingreq' });
				await idle.next('pingresp');
				count('pings');
			}),
			until(async () => {
				publisher.send({ cmd: 'pingreq' });
				await publisher.next('pingresp');
				count('pingsOfPublisher');
			}),
			until(async () => {
				if ((await building.call('GET', '/healthz')).status === 200) count('healthz');
			}),
		];
		const from = commits;
		await waitFor('ten commits', () => commits >= from + 10);
		going = false;
		await Promise.all(loops);
		const least = commits - from;
		expect(during.pings).toBeGreaterThanOrEqual(least);
		expect(during.pingsOfPublisher).toBeGreaterThanOrEqual(least);
		expect(during.healthz).toBeGreaterThanOrEqual(least);
		expect(await building.stored()).toHaveLength(messageId);
	});
});
