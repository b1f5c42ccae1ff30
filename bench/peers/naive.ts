/**
 * The straightforward ingest to compare with: aedes or express, JSON.parse, one XADD per message. It acknowledges
 * before storing and validates nothing. Run as `node bench/peers/naive.ts <redis url> [pipelined]`, with the second
 * argument with ioredis's auto-pipelining; prints `ready <mqtt port> <http
 * port>`.
 */
import { createServer } from 'node:net';
import { express } from '@crowdvision/service-kit';
import { Aedes } from 'aedes';
import { Redis } from 'ioredis';

const redis = new Redis(process.argv[2]!, { enableAutoPipelining: process.argv[3] === 'pipelined' });
const store = (reading: unknown) => {
	redis
		.xadd('telemetry', '*', 'reading', JSON.stringify(reading))
		.catch((error: Error) => process.stderr.write(`${error.message}\n`));
};

const broker = new Aedes();
await broker.listen();
broker.on('publish', (packet, client) => {
	if (client) store(JSON.parse(packet.payload.toString()));
});
const mqtt = createServer({ noDelay: true }, (socket) => broker.handle(socket));

const app = express();
app.use(express.json());
app.post('/ingest', (request, response) => {
	const readings = Array.isArray(request.body) ? request.body : [request.body];
	readings.forEach(store);
	response.status(202).json({ accepted: readings.length });
});

mqtt.listen(0, '127.0.0.1', () => {
	const http = app.listen(0, '127.0.0.1', () => {
		const portOf = (server: { address(): unknown }) => (server.address() as { port: number }).port;
		process.stdout.write(`ready ${portOf(mqtt)} ${portOf(http)}\n`);
	});
});
