import type { Transport } from '@crowdvision/contracts';

/** What is known of a device or port that was heard of since the start. */
export interface DeviceStatus {
	id: string;
	domainName: string | undefined;
	transport: Transport;
	connected: boolean;
	lastSeen: number;
	readings: number;
	/** What is wrong with it, for a person. */
	trouble?: string;
}

/** A device may have more than one connection. */
interface Entry {
	status: DeviceStatus;
	connections: number;
}

const MOST_DEVICES = 10_000;
const FORGOTTEN_AT_ONCE = 1000;

/**
 * Who is connected, and when each was last heard. Bounded: beyond it those longest unheard are forgotten, if they are
 * not connected.
 */
export class Devices {
	readonly #devices = new Map<string, Entry>();

	connected(id: string, domainName: string | undefined, transport: Transport): void {
		const entry = this.#get(id, domainName, transport);
		entry.connections++;
		entry.status.connected = true;
		entry.status.domainName = domainName;
		entry.status.lastSeen = Date.now();
		delete entry.status.trouble;
	}

	disconnected(id: string, transport: Transport): void {
		const entry = this.#devices.get(`${transport} ${id}`);
		if (!entry) return;
		entry.connections = Math.max(0, entry.connections - 1);
		entry.status.connected = entry.connections > 0;
	}

	/** Something that should be there is not, or does not work; it is listed also when it never was there. */
	missing(id: string, domainName: string | undefined, transport: Transport, trouble: string): void {
		const entry = this.#get(id, domainName, transport);
		entry.connections = 0;
		entry.status.connected = false;
		entry.status.trouble = trouble;
	}

	/** Something is wrong with it, although it is there; undefined: no more. */
	troubled(id: string, domainName: string | undefined, transport: Transport, trouble: string | undefined): void {
		const { status } = this.#get(id, domainName, transport);
		if (trouble === undefined) delete status.trouble;
		else status.trouble = trouble;
	}

	/** What was missing is there, under this name or another. One that was never connected is listed no more. */
	found(id: string, transport: Transport): void {
		const entry = this.#devices.get(`${transport} ${id}`);
		if (entry?.connections === 0 && entry.status.lastSeen === 0) this.#devices.delete(`${transport} ${id}`);
	}

	heard(id: string, domainName: string | undefined, transport: Transport, readings: number): void {
		const { status } = this.#get(id, domainName, transport);
		status.lastSeen = Date.now();
		status.readings += readings;
	}

	list(visible: (device: DeviceStatus) => boolean): DeviceStatus[] {
		return [...this.#devices.values()].map(({ status }) => status).filter(visible);
	}

	#get(id: string, domainName: string | undefined, transport: Transport): Entry {
		const key = `${transport} ${id}`;
		let entry = this.#devices.get(key);
		if (!entry) {
			if (this.#devices.size >= MOST_DEVICES) this.#forgetSome();
			entry = {
				status: { id, domainName, transport, connected: transport === 'http', lastSeen: 0, readings: 0 },
				connections: 0,
			};
			this.#devices.set(key, entry);
		}
		return entry;
	}

	#forgetSome(): void {
		const away = [...this.#devices].filter(([, { connections }]) => connections === 0);
		away.sort(([, a], [, b]) => a.status.lastSeen - b.status.lastSeen);
		for (const [key] of away.slice(0, FORGOTTEN_AT_ONCE)) this.#devices.delete(key);
	}
}
