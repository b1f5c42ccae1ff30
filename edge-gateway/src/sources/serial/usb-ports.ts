import { readdir, readFile, realpath } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** The USB device that a port belongs to. */
export interface UsbDevice {
	/** Four hex digits, in small letters. */
	vendorId: string;
	productId: string;
	/** Many cheap adapters have none (CH340). */
	serialNumber: string | undefined;
	/** The socket it is in, as `1-1.2`. */
	path: string;
	/** Which port of an adapter that has several. */
	interface: string | undefined;
}

/** A port as the system shows it. */
export interface PortInfo {
	/** Where its file is, without links: `/dev/ttyUSB0`. */
	node: string;
	usb: UsbDevice | undefined;
	/** Its name below `/dev/serial/by-path`, if it has one. */
	byPath: string | undefined;
}

/** Folders of a USB device are at most so far above the port's own. */
const MOST_LEVELS = 6;

/**
 * The USB serial ports that are plugged in, as sysfs tells, with the names udev gave them.
 * @param root folder that stands for `/`
 */
export async function usbPorts(root: string): Promise<PortInfo[]> {
	// Consoles and the ports of the mainboard, of which there are dozens, are never USB.
	const names = (await readdir(join(root, 'sys/class/tty')).catch(() => [])).filter((name) =>
		/^tty(?!S?\d)/.test(name),
	);
	const byPath = await linksIn(root, '/dev/serial/by-path');
	const ports: PortInfo[] = [];
	for (const name of names) {
		const device = await realpath(join(root, 'sys/class/tty', name, 'device')).catch(() => undefined);
		const usb = device && (await usbDeviceOf(device));
		const node = usb && (await realpath(join(root, 'dev', name)).catch(() => undefined));
		if (node) ports.push({ node, usb, byPath: byPath.get(node) });
	}
	return ports;
}

/** The links of a folder by what they lead to. Where several lead to one port, the first by name. */
async function linksIn(root: string, folder: string): Promise<Map<string, string>> {
	const links = new Map<string, string>();
	for (const name of (await readdir(join(root, folder)).catch(() => [])).sort().reverse()) {
		const target = await realpath(join(root, folder, name)).catch(() => undefined);
		if (target) links.set(target, `${folder}/${name}`);
	}
	return links;
}

async function usbDeviceOf(device: string): Promise<UsbDevice | undefined> {
	let interfaceNumber: string | undefined;
	let folder = device;
	for (let level = 0; level < MOST_LEVELS; level++, folder = dirname(folder)) {
		interfaceNumber ??= await attribute(folder, 'bInterfaceNumber');
		const vendorId = await attribute(folder, 'idVendor');
		if (vendorId === undefined) continue;
		const productId = (await attribute(folder, 'idProduct')) ?? '';
		const serialNumber = (await attribute(folder, 'serial')) || undefined;
		return {
			vendorId: vendorId.toLowerCase(),
			productId: productId.toLowerCase(),
			serialNumber,
			path: basename(folder),
			interface: interfaceNumber,
		};
	}
	return undefined;
}

async function attribute(folder: string, name: string): Promise<string | undefined> {
	return (await readFile(join(folder, name), 'utf8').catch(() => undefined))?.trim();
}
