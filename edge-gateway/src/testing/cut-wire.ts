import { connect, createServer, type Socket } from 'node:net';
import { freePort } from '@crowdvision/testing/ports';
import { onTestFinished } from 'vitest';

/** A wire to a port that can be cut: both ends then find their connection broken, with what was on its way lost. */
export interface CutWire {
	url: string;
	/** How often somebody has connected. */
	connections(): number;
	/** Cuts every connection; new ones are let through. */
	cut(): void;
}

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
