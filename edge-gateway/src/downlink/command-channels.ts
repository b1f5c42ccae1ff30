import { type CommandAnswer, type CommandToDevice, type Transport, tenantOf } from '@crowdvision/contracts';

/** A connection on which a device receives commands. */
export interface CommandChannel {
	readonly transport: Transport;
	/** The device or port at the other end. */
	readonly name: string;
	/** Undefined for a port of this machine. */
	readonly domainName: string | undefined;
	/** For a connection that may lose data: ms after which an unanswered command is sent again. */
	readonly repeatMs?: number;
	/**
	 * Sends a command, or drops it if the device is not reading. `onAnswer` is called only by transports whose answers
	 * come back on the call itself.
	 */
	send(command: CommandToDevice, onAnswer: (answer: Omit<CommandAnswer, 'id'>) => void): void;
}

/** A device that sends for more sensors than this gets commands for the first of them only. */
const MAX_SENSORS = 1000;

/**
 * Finds the connection for commands to a sensor. A sensor may have several: a broken connection is often noticed only
 * after the next one was opened.
 */
export class CommandChannels {
	readonly #bySensor = new Map<string, CommandChannel[]>();
	readonly #sensors = new Map<CommandChannel, Set<string>>();
	readonly #isForeign: (domainName: string | undefined, sensorId: string) => boolean;
	readonly #home: () => string | undefined;
	#onAdded: (sensorId: string) => void = () => undefined;

	/**
	 * @param isForeign whether a sensor belongs to another domain than a device, at the time of the call
	 * @param home the tenant that is meant where a command names none and several have the sensor
	 */
	constructor(
		isForeign: (domainName: string | undefined, sensorId: string) => boolean,
		home: () => string | undefined = () => undefined,
	) {
		this.#isForeign = isForeign;
		this.#home = home;
	}

	/** Calls `onAdded` whenever a sensor gets a channel. */
	follow(onAdded: (sensorId: string) => void): void {
		this.#onAdded = onAdded;
	}

	/** Notes that the device at this channel receives the commands of this sensor. Repeated calls change nothing. */
	add(sensorId: string, channel: CommandChannel): void {
		let sensors = this.#sensors.get(channel);
		if (!sensors) {
			sensors = new Set();
			this.#sensors.set(channel, sensors);
		}
		if (sensors.has(sensorId) || sensors.size >= MAX_SENSORS) return;
		sensors.add(sensorId);
		const channels = this.#bySensor.get(sensorId);
		if (channels) channels.push(channel);
		else this.#bySensor.set(sensorId, [channel]);
		this.#onAdded(sensorId);
	}

	/** Notes that the device no longer receives the commands of this sensor. */
	removeSensor(sensorId: string, channel: CommandChannel): void {
		if (!this.#sensors.get(channel)?.delete(sensorId)) return;
		const channels = this.#bySensor.get(sensorId)!.filter((one) => one !== channel);
		if (channels.length > 0) this.#bySensor.set(sensorId, channels);
		else this.#bySensor.delete(sensorId);
	}

	/** Removes a channel whose connection has ended. */
	remove(channel: CommandChannel): void {
		for (const sensorId of [...(this.#sensors.get(channel) ?? [])]) this.removeSensor(sensorId, channel);
		this.#sensors.delete(channel);
	}

	/** The domains of a sensor's channels; undefined stands for a port of this machine. */
	domainsOf(sensorId: string): (string | undefined)[] {
		return this.#bySensor.get(sensorId)?.map(({ domainName }) => domainName) ?? [];
	}

	/**
	 * The newest channel of a sensor that its domain allows; undefined if there is none.
	 * @param ofDomain where given, only channels of that tenant, and ports of this machine; default: the only tenant with
	 * channels for this sensor, or the one at home here
	 */
	of(sensorId: string, ofDomain?: string): CommandChannel | undefined {
		const channels = (this.#bySensor.get(sensorId) ?? []).filter(
			({ domainName }) => !this.#isForeign(domainName, sensorId),
		);
		const tenants = new Set(
			channels.flatMap(({ domainName }) => (domainName === undefined ? [] : [tenantOf(domainName)])),
		);
		const [only] = tenants;
		const tenant = ofDomain === undefined ? (tenants.size > 1 ? this.#home() : only) : tenantOf(ofDomain);
		return channels.findLast(({ domainName }) => domainName === undefined || tenantOf(domainName) === tenant);
	}
}
