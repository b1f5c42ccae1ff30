import type { CommandAnswer, CommandToDevice, Transport } from '@crowdvision/contracts';

/** A connection on which a device hears commands now. */
export interface Line {
	readonly transport: Transport;
	/** Device or port at its other end. */
	readonly name: string;
	/** Undefined for a port of this machine. */
	readonly domainName: string | undefined;
	/** For a line that may lose what goes over it: ms after which an unanswered command is sent again. */
	readonly repeatMs?: number;
	/**
	 * Sends a command, or drops it where the device does not read. `answered` is for answers that come back on the call
	 * itself.
	 */
	send(command: CommandToDevice, answered: (answer: Omit<CommandAnswer, 'id'>) => void): void;
}

/** A device that speaks for more sensors than this is told commands to the first of them only. */
const MOST_SENSORS = 1000;

/**
 * On which line each sensor's device is told commands. There may be several: a connection that broke is often noticed
 * after the next has come.
 */
export class Lines {
	readonly #bySensor = new Map<string, Line[]>();
	readonly #sensors = new Map<Line, Set<string>>();
	readonly #isForeign: (domainName: string | undefined, sensorId: string) => boolean;
	#onAdded: (sensorId: string) => void = () => undefined;

	/** `isForeign`: whether the devices of a domain have no business with a sensor, at the time of asking. */
	constructor(isForeign: (domainName: string | undefined, sensorId: string) => boolean) {
		this.#isForeign = isForeign;
	}

	/** Tells `onAdded` whenever a sensor gets a line. */
	follow(onAdded: (sensorId: string) => void): void {
		this.#onAdded = onAdded;
	}

	/** The device at this line speaks for this sensor. Said again, it changes nothing. */
	add(sensorId: string, line: Line): void {
		let sensors = this.#sensors.get(line);
		if (!sensors) {
			sensors = new Set();
			this.#sensors.set(line, sensors);
		}
		if (sensors.has(sensorId) || sensors.size >= MOST_SENSORS) return;
		sensors.add(sensorId);
		const lines = this.#bySensor.get(sensorId);
		if (lines) lines.push(line);
		else this.#bySensor.set(sensorId, [line]);
		this.#onAdded(sensorId);
	}

	/** The device does not listen for this sensor any more. */
	leave(sensorId: string, line: Line): void {
		if (!this.#sensors.get(line)?.delete(sensorId)) return;
		const lines = this.#bySensor.get(sensorId)!.filter((one) => one !== line);
		if (lines.length > 0) this.#bySensor.set(sensorId, lines);
		else this.#bySensor.delete(sensorId);
	}

	/** The line is gone. */
	remove(line: Line): void {
		for (const sensorId of [...(this.#sensors.get(line) ?? [])]) this.leave(sensorId, line);
		this.#sensors.delete(line);
	}

	/** The one that came last of those that may hear commands to it; undefined while there is none. */
	of(sensorId: string): Line | undefined {
		return this.#bySensor.get(sensorId)?.findLast(({ domainName }) => !this.#isForeign(domainName, sensorId));
	}
}
