import { CHANNELS, type DeviceEvent, type Transport } from '@crowdvision/contracts';

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

const MOST_DEVICES = 10_000;

/** Who is connected, and when each was last heard. Bounded: beyond it the one longest unheard is forgotten. */
export class Devices {
	readonly #devices = new Map<string, DeviceStatus>();
	readonly #announce: (channel: string, message: string) => void;
	readonly #gatewayId: string;

	constructor(gatewayId: string, announce: (channel: string, message: string) => void) {
		this.#gatewayId = gatewayId;
		this.#announce = announce;
	}

	connected(id: string, domainName: string | undefined, transport: Transport, trouble?: string): void {
		const device = this.#get(id, domainName, transport);
		device.connected = true;
		device.domainName = domainName;
		device.lastSeen = Date.now();
		if (trouble === undefined) delete device.trouble;
		else device.trouble = trouble;
	}

	disconnected(id: string, transport: Transport): void {
		const device = this.#devices.get(`${transport} ${id}`);
		if (device) device.connected = false;
	}

	/** Something that should be there is not, or does not work; it is listed also when it never was there. */
	missing(id: string, domainName: string | undefined, transport: Transport, trouble: string): void {
		const device = this.#get(id, domainName, transport);
		device.connected = false;
		device.trouble = trouble;
	}

	heard(id: string, domainName: string | undefined, transport: Transport, readings: number): void {
		const device = this.#get(id, domainName, transport);
		device.lastSeen = Date.now();
		device.readings += readings;
	}

	/** Tells whoever listens that a sensor came or went. */
	availability(sensorId: string, state: DeviceEvent['state']): void {
		const event: DeviceEvent = { sensorId, state, at: Date.now(), gatewayId: this.#gatewayId };
		this.#announce(CHANNELS.devices, JSON.stringify(event));
	}

	list(visible: (device: DeviceStatus) => boolean): DeviceStatus[] {
		return [...this.#devices.values()].filter(visible);
	}

	#get(id: string, domainName: string | undefined, transport: Transport): DeviceStatus {
		const key = `${transport} ${id}`;
		let device = this.#devices.get(key);
		if (!device) {
			device = { id, domainName, transport, connected: transport === 'http', lastSeen: 0, readings: 0 };
			this.#devices.set(key, device);
			if (this.#devices.size > MOST_DEVICES) this.#devices.delete(this.#devices.keys().next().value!);
		}
		return device;
	}
}
