/** Finds the ports that fit an entry of gateway.yaml. */
import { glob, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import type { SerialConfig } from './serial-config.ts';
import type { PortInfo, UsbDevice } from './usb-ports.ts';

/** A port that fits an entry of gateway.yaml. */
export interface Candidate {
	/** Its name in lists and logs. */
	name: string;
	/** The device file, with links resolved. */
	node: string;
	usb: UsbDevice | undefined;
	/** Its link below /dev/serial/by-path, by which a person can tell it from other ports. */
	byPath: string | undefined;
}

/** The name of an entry in lists and logs. */
export function entryName({ identify, path, glob: pattern, usb }: SerialConfig): string {
	if (identify) return identify.device;
	if (path !== undefined || pattern !== undefined) return (path ?? pattern)!;
	const { vendorId, productId, serialNumber, path: socket } = usb ?? {};
	const ids = vendorId !== undefined || productId !== undefined ? [`${vendorId ?? '*'}:${productId ?? '*'}`] : [];
	return ['usb', ...ids, ...[serialNumber, socket].filter((part) => part !== undefined)].join(' ');
}

/** A path, and the device file it leads to with links resolved. */
interface ResolvedPath {
	path: string;
	node: string;
}

/**
 * Resolves the path or pattern of an entry to existing ports, each of them once.
 * @param root folder that stands for `/`
 */
export async function resolvePaths({ path, glob: pattern }: SerialConfig, root: string): Promise<ResolvedPath[]> {
	const paths = path === undefined ? (pattern === undefined ? [] : await matchesOf(pattern, root)) : [path];
	const resolved = await Promise.all(
		paths.map(async (one) => ({ path: one, node: await realpath(join(root, one)).catch(() => undefined) })),
	);
	// udev may make two links to one port.
	const nodes = new Set<string>();
	return resolved.filter(
		(one): one is ResolvedPath => one.node !== undefined && !nodes.has(one.node) && nodes.add(one.node) !== undefined,
	);
}

/**
 * The ports that fit an entry; the same port may fit other entries too.
 * @param paths result of `resolvePaths` for the entry
 * @param ports all USB ports that are plugged in
 */
export function candidatesOf(
	config: SerialConfig,
	paths: readonly ResolvedPath[],
	ports: readonly PortInfo[],
): Candidate[] {
	const name = entryName(config);
	if (config.usb) return ports.filter(({ usb }) => usb && fits(usb, config.usb!)).map((port) => ({ ...port, name }));
	return paths.map(({ path, node }) => {
		const port = ports.find((one) => one.node === node);
		return { name: config.glob === undefined ? name : path, node, usb: port?.usb, byPath: port?.byPath };
	});
}

async function matchesOf(pattern: string, root: string): Promise<string[]> {
	const matches: string[] = [];
	for await (const match of glob(join(root, pattern))) matches.push(match);
	const prefix = join(root, '/').length - 1;
	return matches.map((match) => match.slice(prefix)).sort();
}

function fits(
	device: UsbDevice,
	{ vendorId, productId, serialNumber, path }: NonNullable<SerialConfig['usb']>,
): boolean {
	const same = (actual: string | undefined, wanted: string | undefined) =>
		wanted === undefined || actual?.toLowerCase() === wanted.toLowerCase();
	return (
		same(device.vendorId, vendorId) &&
		same(device.productId, productId) &&
		same(device.serialNumber, serialNumber) &&
		same(device.path, path)
	);
}
