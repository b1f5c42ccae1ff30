import { waitFor } from '@crowdvision/testing/wait';
import { type GatewayWorld, openGatewayWorld } from '../gateway-world.ts';
import { type SerialLine, serialLine } from '../serial-line.ts';
import type { SourceAnswer, SourceHarness, TestDevice } from './harness.ts';

/** Devices at real pseudo-terminals, one port each, that send lines of JSON. */
export const serialHarness: SourceHarness = {
	transport: 'serial',
	limitMetric: ['gateway_serial_floods_total', {}],
	async open({ messagesPerSecond, ...options }) {
		const lines = { device: await serialLine(), neighbour: await serialLine() };
		const serial = Object.entries(lines).map(([sensorId, { path }]) => ({
			path,
			defaults: { sensorId, buildingId: 'b1', roomId: 'hall' },
			...(messagesPerSecond !== undefined && { framesPerSecond: messagesPerSecond }),
		}));
		const world = await openGatewayWorld({ ...options, settings: { ...options.settings, serial } });
		await portsConnected(world, serial.length);
		return {
			world,
			device: serialDevice(world, 'device', lines.device),
			neighbour: serialDevice(world, 'neighbour', lines.neighbour),
		};
	},
	garbage: {
		'bytes that are no text': Buffer.from([0, 255, 254, 10]),
		'half a frame': Buffer.from('{"metric":"co2",\n'),
		'a frame of 200 KiB': Buffer.concat([Buffer.alloc(200 * 1024, 'x'), Buffer.from('\n')]),
	},
};

function serialDevice(world: GatewayWorld, sensorId: string, line: SerialLine): TestDevice {
	let ended = false;
	/** Waits for `ACK <seq>` or `NAK <seq> <code>` among the answers from `from` on. */
	const answerTo = async (reading: object, from: number): Promise<SourceAnswer> => {
		const { seq } = reading as { seq: number };
		const pattern = new RegExp(`^(?:ACK|NAK) ${seq}(?: (\\S+))?$`);
		const find = () => line.answers.slice(from).map((text) => pattern.exec(text));
		await waitFor(`an answer to ${seq}`, () => ended || find().some(Boolean), 60_000);
		const answer = find().find((match) => match !== null);
		return answer ? (answer[1] ?? 'acknowledged') : 'no answer';
	};
	return {
		sensorId,
		async send(reading) {
			const from = line.answers.length;
			await line.send(reading);
			return answerTo(reading, from);
		},
		async sendInOrder(readings) {
			const from = line.answers.length;
			const answers = readings.map((reading) => answerTo(reading, from));
			await line.send(...readings);
			return Promise.all(answers);
		},
		sendBytes: (bytes) => line.sendBytes(bytes),
		async reconnect() {
			await line.unplug();
			await portsConnected(world, 1);
			await line.plug();
			await portsConnected(world, 2);
		},
		async end() {
			await line.unplug();
			ended = true;
		},
	};
}

/** Waits until that many ports are open: bytes sent to a port before that are lost, as on a real line. */
const portsConnected = (world: GatewayWorld, count: number) =>
	waitFor(`${count} ports to be open`, async () => {
		const token = await world.account({ domainName: 'acme', role: 'admin' });
		const { devices } = (await world.call('GET', '/devices', { token })).body as { devices: { connected: boolean }[] };
		return devices.filter(({ connected }) => connected).length === count;
	});
