/** Finds the files that a configuration names, such as certificates. */
import { resolve } from 'node:path';
import type { GatewayConfig } from './gateway-config.ts';

/** Keys of gateway.yaml whose value is the path of a file. */
const FILE_KEYS = new Set([
	'cert',
	'key',
	'ca',
	'caFile',
	'certFile',
	'keyFile',
	'codec',
	'passwordFile',
	'tokenFile',
	'usernameFile',
]);
const MAX_FILES = 200;

/** Absolute paths of the files that a configuration names, such as certificates. */
export function filesOf(config: GatewayConfig): string[] {
	const found = new Set<string>();
	const visit = (value: unknown): void => {
		if (typeof value !== 'object' || value === null) return;
		for (const [key, inner] of Object.entries(value)) {
			if (typeof inner === 'string' && FILE_KEYS.has(key) && found.size < MAX_FILES) found.add(resolve(inner));
			else visit(inner);
		}
	};
	visit(config);
	return [...found];
}
