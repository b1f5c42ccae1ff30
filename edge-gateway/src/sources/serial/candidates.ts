import { glob, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import type { SerialConfig } from './serial-config.ts';
import type { PortInfo, UsbDevice } from './usb-ports.ts';

/** A port that an entry of gateway.yaml may mean. */
export interface Candidate {
	/** What it is called in lists and logs. */
	name: string;
	/** Its file, without links. */
	node: string;
	usb: UsbDevice | undefined;
	/** Its name by socket, for a person who has to tell it from others. */
	byPath: string | undefined;
}

/** What an entry is called in lists and logs. */
export function entryName({ identify, path, glob: pattern, usb }: SerialConfig): string {
	if (identify) return identify.device;
	if (path !== undefined || pattern !== undefined) return (path ?? pattern)!;
	const { vendorId, productId, serialNumber, path: socket } = usb ?? {};
	const ids = vendorId !== undefined || productId !== undefined ? [`${vendorId ?? '*'}:${productId ?? '*'}`] : [];
	return ['usb', ...ids, ...[serialNumber, socket].filter((part) => part !== undefined)].join(' ');
}

/** A path, and the file it leads to without links. */
interface Found {
	path: string;
	node: string;
}

/**
 * Where the path or the pattern of an entry leads now.
 * @param root folder that stands for `/`
 */
export async function pathsOf({ path, glob: pattern }: SerialConfig, root: string): Promise<Found[]> {
	const paths = path === undefined ? (pattern === undefined ? [] : await matchesOf(pattern, root)) : [path];
	const found = await Promise.all(
		paths.map(async (one) => ({ path: one, node: await realpath(join(root, one)).catch(() => undefined) })),
	);
	// udev may give one port two names; it is one port all the same.
	const nodes = new Set<string>();
	return found.filter(
		(one): one is Found => one.node !== undefined && !nodes.has(one.node) && nodes.add(one.node) !== undefined,
	);
}

/**
 * The ports that an entry fits, whoever else they fit.
 * @param paths where its path or pattern leads
 * @param ports the USB ports there are
 */
export function candidatesOf(config: SerialConfig, paths: readonly Found[], ports: readonly PortInfo[]): Candidate[] {
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
	const same = (told: string | undefined, wanted: string | undefined) =>
		wanted === undefined || told?.toLowerCase() === wanted.toLowerCase();
	return (
		same(device.vendorId, vendorId) &&
		same(device.productId, productId) &&
		same(device.serialNumber, serialNumber) &&
		same(device.path, path)
	);
}
