/** Lists the USB serial ports that are plugged in. */
import { readdir, readFile, realpath } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** The USB device that a port belongs to. */
export interface UsbDevice {
	/** Four lower-case hex digits. */
	vendorId: string;
	/** Four lower-case hex digits. */
	productId: string;
	/** Many cheap adapters have none (CH340). */
	serialNumber: string | undefined;
	/** The USB socket it is plugged into, such as `1-1.2`. */
	path: string;
	/** Tells the ports of one adapter apart. */
	interface: string | undefined;
}

/** A port as the kernel and udev show it. */
export interface PortInfo {
	/** The device file, with links resolved: `/dev/ttyUSB0`. */
	node: string;
	usb: UsbDevice | undefined;
	/** Its link below `/dev/serial/by-path`, if it has one. */
	byPath: string | undefined;
}

/** How many folders above the port's own, at most, sysfs has the folder of its USB device. */
const MAX_LEVELS_UP = 6;

/**
 * Lists the USB serial ports that are plugged in, from sysfs, with the links that udev made.
 * @param root folder that stands for `/`
 */
export async function usbPorts(root: string): Promise<PortInfo[]> {
	// Leaves out the dozens of consoles and mainboard ports, which are never USB.
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

/** The links in a folder by their target. Where several lead to one port, the first by name. */
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
	for (let level = 0; level < MAX_LEVELS_UP; level++, folder = dirname(folder)) {
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
