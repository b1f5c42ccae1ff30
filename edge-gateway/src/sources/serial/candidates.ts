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

/**
 * The ports that an entry fits, whoever else they fit.
 * @param ports the USB ports there are
 * @param root folder that stands for `/`
 */
export async function candidatesOf(config: SerialConfig, ports: readonly PortInfo[], root: string): Promise<Candidate[]> {
	if (config.usb) return ports.filter(({ usb }) => usb && fits(usb, config.usb!)).map((port) => ({ ...port, name: entryName(config) }));
	const paths = config.path === undefined ? await matchesOf(config.glob!, root) : [config.path];
	const found = new Map<string, Candidate>();
	for (const path of paths) {
		const node = await realpath(join(root, path)).catch(() => undefined);
		// udev may give one port two names; it is one port all the same.
		if (node === undefined || found.has(node)) continue;
		const port = ports.find((one) => one.node === node);
		found.set(node, { name: config.glob === undefined ? entryName(config) : path, node, usb: port?.usb, byPath: port?.byPath });
	}
	return [...found.values()];
}

async function matchesOf(pattern: string, root: string): Promise<string[]> {
	const matches: string[] = [];
	for await (const match of glob(join(root, pattern))) matches.push(match);
	const prefix = join(root, '/').length - 1;
	return matches.map((match) => match.slice(prefix)).sort();
}

function fits(device: UsbDevice, { vendorId, productId, serialNumber, path }: NonNullable<SerialConfig['usb']>): boolean {
	const same = (told: string | undefined, wanted: string | undefined) => wanted === undefined || told?.toLowerCase() === wanted.toLowerCase();
	return same(device.vendorId, vendorId) && same(device.productId, productId) && same(device.serialNumber, serialNumber) && same(device.path, path);
}
