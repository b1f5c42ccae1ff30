import { connect, createServer, type Socket } from 'node:net';
import { listen } from '@crowdvision/service-kit';

/**
 * A proxy on loopback that can stop forwarding what the server sends, like a slow network; refuse connections; and
 * forward new connections to another server, like a load balancer before several replicas.
 */
export interface StallingProxy {
	readonly url: string;
	stall(): void;
	resume(): void;
	/** Cuts every connection, and refuses new ones until `restore`. */
	cut(): void;
	restore(): void;
	/** Forwards new connections to `target`. */
	lead(target: string): void;
	close(): Promise<void>;
}

export async function startStallingProxy(target: string): Promise<StallingProxy> {
	const upstreams = new Set<Socket>();
	const clients = new Set<Socket>();
	let current = target;
	let away = false;
	const server = createServer((client) => {
		if (away) return client.destroy();
		const upstream = connect({ host: '127.0.0.1', port: Number(new URL(current).port) });
		upstreams.add(upstream);
		clients.add(client);
		client.on('data', (chunk) => upstream.write(chunk));
		upstream.on('data', (chunk) => client.write(chunk));
		const end = () => {
			client.destroy();
			upstream.destroy();
		};
		for (const socket of [client, upstream]) {
			socket.on('error', end).on('close', () => {
				end();
				clients.delete(client);
				upstreams.delete(upstream);
			});
		}
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
		cut: () => {
			away = true;
			for (const socket of [...clients, ...upstreams]) socket.destroy();
		},
		restore: () => {
			away = false;
		},
		lead: (url) => {
			current = url;
		},
		close: () =>
			new Promise((resolve) => {
				server.close(() => resolve());
				for (const socket of [...clients, ...upstreams]) socket.destroy();
			}),
	};
}
