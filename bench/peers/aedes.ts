/** Plain aedes, a broker without storage. Prints `ready <port>`. */
import { createServer } from 'node:net';
import { Aedes } from 'aedes';

const broker = new Aedes();
await broker.listen();
const server = createServer({ noDelay: true }, (socket) => broker.handle(socket));
server.listen(0, '127.0.0.1', () => {
	process.stdout.write(`ready ${(server.address() as { port: number }).port}\n`);
});
