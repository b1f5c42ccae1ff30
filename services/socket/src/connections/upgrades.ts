import type { Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { waitAtMost } from '@crowdvision/service-kit';

/** The connections that an HTTP server has upgraded below a path, which closing the server does not close. */
export class Upgrades {
	readonly #open = new Set<Duplex>();
	#emptied = Promise.withResolvers<void>();

	/** Tracks the connections that `server` upgrades below `path` from now on. */
	track(server: Server, path: string): void {
		server.on('upgrade', (request, connection) => {
			if (!request.url?.startsWith(`${path}/`)) return;
			this.#open.add(connection);
			connection.once('close', () => {
				this.#open.delete(connection);
				if (this.#open.size === 0) this.#emptied.resolve();
			});
		});
	}

	/** Resolves when all have closed by themselves, or after `graceMs`; destroys those that are still open then. */
	async closed(graceMs: number): Promise<void> {
		this.#emptied = Promise.withResolvers();
		if (this.#open.size > 0) await waitAtMost(graceMs, this.#emptied.promise);
		for (const connection of this.#open) connection.destroy();
	}
}
