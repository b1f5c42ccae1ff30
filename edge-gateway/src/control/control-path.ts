import { join } from 'node:path';

/** Where the control socket of a gateway is. */
export function controlSocketPath(dataDir: string): string {
	return join(dataDir, 'gateway', 'why.sock');
}
