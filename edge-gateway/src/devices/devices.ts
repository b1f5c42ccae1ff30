/** Keeps which devices are connected, when each last sent, and what is wrong with it. */
import type { DeviceStatus, Transport } from '@crowdvision/contracts';

interface Entry {
	status: DeviceStatus;
	/** A device may have several. */
	connections: number;
}

const MAX_DEVICES = 10_000;
/** How many are forgotten at a time above the bound. */
const FORGET_COUNT = 1000;

/**
 * Which devices are connected, and when each last sent, by transport. Bounded: above ten thousand, the devices that
 * have been silent longest are forgotten, but none that is connected.
 */
export class Devices {
	readonly #devices = new Map<string, Entry>();
	readonly #now: () => number;

	/** @param now epoch ms */
	constructor(now: () => number = Date.now) {
		this.#now = now;
	}

	connected(id: string, domainName: string | undefined, transport: Transport): void {
		const entry = this.#get(id, domainName, transport);
		entry.connections++;
		entry.status.connected = true;
		entry.status.domainName = domainName;
		entry.status.lastSeen = this.#now();
		delete entry.status.trouble;
	}

	disconnected(id: string, transport: Transport): void {
		const entry = this.#devices.get(`${transport} ${id}`);
		if (!entry) return;
		entry.connections = Math.max(0, entry.connections - 1);
		entry.status.connected = entry.connections > 0;
	}

	/** Lists a device or port that is configured but absent or broken, also if it was never connected. */
	setMissing(id: string, domainName: string | undefined, transport: Transport, trouble: string): void {
		const entry = this.#get(id, domainName, transport);
		entry.connections = 0;
		entry.status.connected = false;
		entry.status.trouble = trouble;
	}

	/** Sets or clears what is wrong with a device or port that is present. */
	setTrouble(id: string, domainName: string | undefined, transport: Transport, trouble: string | undefined): void {
		const { status } = this.#get(id, domainName, transport);
		if (trouble === undefined) delete status.trouble;
		else status.trouble = trouble;
	}

	/** Ends `setMissing`: an entry that was never connected is removed. */
	clearMissing(id: string, transport: Transport): void {
		const entry = this.#devices.get(`${transport} ${id}`);
		if (entry?.connections === 0 && entry.status.lastSeen === 0) this.#devices.delete(`${transport} ${id}`);
	}

	/** Counts accepted readings of a device. */
	received(id: string, domainName: string | undefined, transport: Transport, readings: number): void {
		const { status } = this.#get(id, domainName, transport);
		status.lastSeen = this.#now();
		status.readings += readings;
	}

	list(visible: (device: DeviceStatus) => boolean): DeviceStatus[] {
		return [...this.#devices.values()].map(({ status }) => status).filter(visible);
	}

	#get(id: string, domainName: string | undefined, transport: Transport): Entry {
		const key = `${transport} ${id}`;
		let entry = this.#devices.get(key);
		if (!entry) {
			if (this.#devices.size >= MAX_DEVICES) this.#forgetSome();
			entry = {
				status: { id, domainName, transport, connected: transport === 'http', lastSeen: 0, readings: 0 },
				connections: 0,
			};
			this.#devices.set(key, entry);
		}
		return entry;
	}

	#forgetSome(): void {
		const unconnected = [...this.#devices].filter(([, { connections }]) => connections === 0);
		unconnected.sort(([, a], [, b]) => a.status.lastSeen - b.status.lastSeen);
		for (const [key] of unconnected.slice(0, FORGET_COUNT)) this.#devices.delete(key);
	}
}
