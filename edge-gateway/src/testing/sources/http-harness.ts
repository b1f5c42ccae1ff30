import { once } from 'node:events';
import { connect } from 'node:net';
import { type GatewayWorld, openGatewayWorld } from '../gateway-world.ts';
import { type SourceAnswer, type SourceHarness, type TestDevice, withLimit } from './harness.ts';

/** Devices that send readings with `POST /ingest`. */
export const httpHarness: SourceHarness = {
	transport: 'http',
	limitMetric: ['gateway_rate_limited_total', { transport: 'http' }],
	async open(options) {
		const world = await openGatewayWorld(withLimit(options));
		return { world, device: await httpDevice(world, 'device'), neighbour: await httpDevice(world, 'neighbour') };
	},
	garbage: {
		'bytes that are no HTTP': Buffer.from('not HTTP at all\r\n\r\n'),
		'a body that is no JSON': requestOf('{"value":', ''),
		'a body of 2 MiB': requestOf(' '.repeat(2 * 1024 * 1024), ''),
		'a body that breaks off': requestOf('{', 'Content-Length: 1000\r\n'),
	},
};

/** A request of the device `device`, whose token the harness fills in. */
function requestOf(body: string, headers: string): Buffer {
	const length = headers.includes('Content-Length') ? '' : `Content-Length: ${body.length}\r\n`;
	const head = 'POST /ingest HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer TOKEN\r\nConnection: close\r\n';
	return Buffer.from(`${head}${headers}${length}\r\n${body}`);
}

async function httpDevice(world: GatewayWorld, sensorId: string): Promise<TestDevice> {
	const token = await world.token(sensorId, { sensorIds: [sensorId], buildingId: 'b1' });
	const send: TestDevice['send'] = async (reading) => {
		try {
			const { status, body } = await world.call('POST', '/ingest', { token, body: reading });
			return status === 202 ? 'acknowledged' : body.error!.code;
		} catch {
			return 'no answer';
		}
	};
	return {
		sensorId,
		send,
		async sendInOrder(readings) {
			const answers: SourceAnswer[] = [];
			for (const reading of readings) answers.push(await send(reading));
			return answers;
		},
		async sendBytes(bytes) {
			const socket = connect(Number(new URL(world.url).port), '127.0.0.1');
			socket.on('error', () => undefined);
			socket.resume();
			const text = bytes.toString('latin1');
			const request = text.replace('TOKEN', token);
			// The device breaks off an incomplete body by ending the connection; the gateway answers everything else.
			if (text.includes('Content-Length: 1000')) socket.end(request);
			else socket.write(request);
			await once(socket, 'close');
		},
		reconnect: async () => undefined,
		end: async () => undefined,
	};
}
