import { type GatewayWorld, openGatewayWorld } from '../gateway-world.ts';
import { type SensorSocket, sensorSocket, type Taken } from '../socketio-client.ts';
import { type SourceAnswer, type SourceHarness, type TestDevice, withLimit } from './harness.ts';

/** Devices that emit readings over Socket.IO. */
export const socketIoHarness: SourceHarness = {
	transport: 'socket.io',
	limitMetric: ['gateway_rate_limited_total', { transport: 'socket.io' }],
	async open(options) {
		const world = await openGatewayWorld(withLimit(options));
		return { world, device: await socketDevice(world, 'device'), neighbour: await socketDevice(world, 'neighbour') };
	},
	garbage: {
		'a packet of no type': Buffer.from('9nonsense'),
		'an event that is no JSON': Buffer.from('42["reading",{'),
		'a message of 2 MiB': Buffer.from(`42["reading","${'x'.repeat(2 * 1024 * 1024)}"]`),
	},
};

async function socketDevice(world: GatewayWorld, sensorId: string): Promise<TestDevice> {
	const token = await world.token(sensorId, { sensorIds: [sensorId], buildingId: 'b1' });
	const connectDevice = () => sensorSocket(world.url, { token }, { transports: ['websocket'] });
	let socket = await connectDevice();
	const send = (reading: object) => answerTo(socket, reading);
	return {
		sensorId,
		send,
		sendInOrder: (readings) => Promise.all(readings.map(send)),
		async sendBytes(bytes) {
			const ended = new Promise((resolve) => socket.once('disconnect', resolve));
			// What the client library writes is prefixed with the type of an Engine.IO message.
			socket.io.engine.write(bytes.toString('latin1'));
			await Promise.race([ended, send({})]);
		},
		end: async () => void socket.disconnect(),
		async reconnect() {
			socket.disconnect();
			socket = await connectDevice();
		},
	};
}

function answerTo(socket: SensorSocket, reading: object): Promise<SourceAnswer> {
	return new Promise((resolve) => {
		if (!socket.connected) return resolve('no answer');
		socket.once('disconnect', () => resolve('no answer'));
		socket.emit('reading', reading, (taken: Taken) => resolve(taken.ok ? 'acknowledged' : taken.error.code));
	});
}
