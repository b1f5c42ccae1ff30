import { connect, createServer, type Socket } from 'node:net';
import { listen } from '@crowdvision/service-kit';

/** A proxy on loopback that can stop passing on what the server says, as a network that is too slow does. */
export interface StallingProxy {
	readonly url: string;
	stall(): void;
	resume(): void;
	close(): Promise<void>;
}

export async function startStallingProxy(target: string): Promise<StallingProxy> {
	const upstreams = new Set<Socket>();
	const clients = new Set<Socket>();
	const server = createServer((client) => {
		const upstream = connect({ host: '127.0.0.1', port: Number(new URL(target).port) });
		upstreams.add(upstream);
		clients.add(client);
		client.on('data', (chunk) => upstream.write(chunk));
		upstream.on('data', (chunk) => client.write(chunk));
		const end = () => {
			client.destroy();
			upstream.destroy();
		};
		for (const socket of [client, upstream]) socket.on('close', end).on('error', end);
	});
	const port = await listen(server as Parameters<typeof listen>[0], 0, '127.0.0.1');
	return {
		url: `http://127.0.0.1:${port}`,
		stall: () => {
			for (const upstream of upstreams) upstream.pause();
		},
		resume: () => {
			for (const upstream of upstreams) upstream.resume();
		},
		close: () =>
			new Promise((resolve) => {
				server.close(() => resolve());
				for (const socket of [...clients, ...upstreams]) socket.destroy();
			}),
	};
}
