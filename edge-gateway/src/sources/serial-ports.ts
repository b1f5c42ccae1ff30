import { existsSync, globSync } from 'node:fs';
import { SerialPort } from 'serialport';
import type { SerialConfig } from '../config.ts';

/** The path at which the configured port is now, or undefined while it is not plugged in. */
export async function findPort(config: SerialConfig): Promise<string | undefined> {
	if (config.path !== undefined) return existsSync(config.path) ? config.path : undefined;
	if (config.glob !== undefined) return globSync(config.glob).sort()[0];
	if (config.usb === undefined) return undefined;
	const { vendorId, productId, serialNumber } = config.usb;
	const same = (told: string | undefined, wanted: string | undefined) => wanted === undefined || told?.toLowerCase() === wanted.toLowerCase();
	const ports = await SerialPort.list();
	return ports.find((port) => same(port.vendorId, vendorId) && same(port.productId, productId) && same(port.serialNumber, serialNumber))?.path;
}

/** What a port is called in lists and logs. */
export function portName(config: SerialConfig): string {
	return config.path ?? config.glob ?? `usb ${config.usb?.vendorId ?? '?'}:${config.usb?.productId ?? '?'}`;
}
