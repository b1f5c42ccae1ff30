import { connect, createServer, type Socket } from 'node:net';
import { freePort } from '@crowdvision/testing/ports';
import { onTestFinished } from 'vitest';

/** A TCP proxy whose connections can be cut: both ends then get an error, and what was on its way is lost. */
export interface CutWire {
	url: string;
	/** How many connections there have been. */
	connections(): number;
	/** Resets every open connection; new ones are accepted. */
	cut(): void;
}

/** Opens a proxy to a local port, for MQTT; closed after the test. */
export async function cutWire(port: number): Promise<CutWire> {
	const sockets = new Set<Socket>();
	let connections = 0;
	const server = createServer((near) => {
		connections++;
		const far = connect(port, '127.0.0.1');
		for (const [from, to] of [
			[near, far],
			[far, near],
		] as const) {
			sockets.add(from);
			from
				.on('error', () => undefined)
				.on('close', () => {
					sockets.delete(from);
					to.destroy();
				});
			from.on('data', (bytes) => void to.write(bytes));
		}
	});
	const own = await freePort();
	await new Promise<void>((resolve) => server.listen(own, '127.0.0.1', resolve));
	const cut = () => {
		for (const socket of sockets) socket.resetAndDestroy();
	};
	onTestFinished(async () => {
		cut();
		await new Promise((resolve) => server.close(resolve));
	});
	return { url: `mqtt://127.0.0.1:${own}`, connections: () => connections, cut };
}
