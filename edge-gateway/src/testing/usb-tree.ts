import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { onTestFinished } from 'vitest';
import { type SerialLine, serialLine } from './serial-line.ts';

/** The attributes of a USB adapter. */
export interface Adapter {
	vendorId: string;
	productId: string;
	/** Its model in udev's links. */
	model: string;
	serialNumber?: string;
}

/** A cheap and common adapter without a serial number: two of them cannot be told apart. */
export const CH340: Adapter = { vendorId: '1a86', productId: '7523', model: '1a86_USB_Serial' };

/** A device plugged into a socket. */
export interface Plugged {
	line: SerialLine;
	/** The kernel's name of its port, such as `ttyUSB0`. */
	name: string;
	unplug(): Promise<void>;
}

/**
 * Folders like /dev and /sys on a machine with USB adapters, with links to real pseudo-terminals. Names are given as
 * the kernel and udev give them: ttyUSB0 to the first adapter, links in by-path by socket, links in by-id by the
 * attributes of the adapter; of several with the same attributes, the last one gets the link.
 */
export class UsbTree {
	readonly root: string;
	readonly #plugged = new Map<string, { adapter: Adapter; name: string }>();

	constructor() {
		this.root = mkdtempSync(join(tmpdir(), 'crowdvision-usb-'));
		mkdirSync(join(this.root, 'sys/class/tty'), { recursive: true });
		mkdirSync(join(this.root, 'dev'));
		onTestFinished(() => rmSync(this.root, { recursive: true, force: true }));
	}

	static byPath(socket: string): string {
		return `/dev/serial/by-path/platform-xhci-usb-0:${socket.slice(2)}:1.0-port0`;
	}

	static byId({ model, serialNumber }: Adapter): string {
		return `/dev/serial/by-id/usb-${model}${serialNumber === undefined ? '' : `_${serialNumber}`}-if00-port0`;
	}

	/** Plugs an adapter with a device into a socket such as `1-1.2`. */
	async plug(socket: string, adapter: Adapter = CH340): Promise<Plugged> {
		const names = new Set([...this.#plugged.values()].map(({ name }) => name));
		const name = Array.from({ length: 64 }, (_, n) => `ttyUSB${n}`).find((one) => !names.has(one))!;
		this.#plugged.set(socket, { adapter, name });
		const line = await serialLine();
		this.#writeSys(socket, adapter, name);
		symlinkSync(line.path, join(this.root, 'dev', name));
		this.#linkAll();
		return {
			line,
			name,
			unplug: async () => {
				this.#plugged.delete(socket);
				for (const path of [`dev/${name}`, `sys/class/tty/${name}`, `sys/devices/usb1/${socket}`])
					rmSync(join(this.root, path), { recursive: true, force: true });
				this.#linkAll();
				await line.unplug();
			},
		};
	}

	#writeSys(socket: string, { vendorId, productId, serialNumber }: Adapter, name: string): void {
		const device = join(this.root, 'sys/devices/usb1', socket);
		const port = join(device, `${socket}:1.0`, name);
		mkdirSync(port, { recursive: true });
		writeFileSync(join(device, 'idVendor'), `${vendorId}\n`);
		writeFileSync(join(device, 'idProduct'), `${productId}\n`);
		if (serialNumber !== undefined) writeFileSync(join(device, 'serial'), `${serialNumber}\n`);
		writeFileSync(join(device, `${socket}:1.0`, 'bInterfaceNumber'), '00\n');
		mkdirSync(join(this.root, 'sys/class/tty', name), { recursive: true });
		symlinkSync(port, join(this.root, 'sys/class/tty', name, 'device'));
	}

	/** Makes udev's links. Like udev, removes the folders together with the last link in them. */
	#linkAll(): void {
		const wanted = new Map<string, string>();
		for (const [socket, { adapter, name }] of this.#plugged) {
			wanted.set(UsbTree.byPath(socket), name);
			wanted.set(UsbTree.byId(adapter), name);
		}
		for (const folder of ['by-path', 'by-id']) {
			const path = join(this.root, 'dev/serial', folder);
			if (wanted.size === 0) rmSync(join(this.root, 'dev/serial'), { recursive: true, force: true });
			else mkdirSync(path, { recursive: true });
			for (const link of wanted.size === 0 ? [] : readdirSync(path)) rmSync(join(path, link));
		}
		for (const [path, name] of wanted) {
			const link = join(this.root, path);
			symlinkSync(relative(join(link, '..'), join(this.root, 'dev', name)), link);
		}
	}
}
