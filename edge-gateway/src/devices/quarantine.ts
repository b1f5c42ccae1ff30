import type { MetricKey, Transport } from '@crowdvision/contracts';
import { CheckpointFile } from '@crowdvision/log';
import { sampleOf } from '../payload.ts';

/** A sensor that speaks, but of whose place nobody knows. */
export interface QuarantinedSensor {
	sensorId: string;
	/** The way it was heard last. */
	transport: Transport;
	/** Topic, path or port. */
	source: string;
	/** Device or port, and its domain: that decides who may see it. */
	sender: string;
	domainName?: string;
	/** The building that is given by the device's token or its port, where one is. */
	buildingId?: string;
	firstSeen: number;
	lastSeen: number;
	/** Messages that were refused because of it. */
	count: number;
	/** What its last reading measured, where it said so in the catalog's words. */
	metric?: MetricKey;
	/** The beginning of its last message. */
	sample: string;
}

/** What is seen of such a sensor in one message. */
export type Sighting = Omit<QuarantinedSensor, 'firstSeen' | 'lastSeen' | 'count' | 'sample'> & {
	raw: Buffer;
	at: number;
};

const MOST_SENSORS = 1000;
const SAVE_AFTER_MS = 1000;

/**
 * Sensors that wait to be adopted. Their readings are in the rejected list; here is one entry a sensor, kept across
 * restarts. Bounded: beyond a thousand the one goes that was silent the longest.
 */
export class Quarantine {
	/** By domain and id, as two tenants may have devices that call a sensor the same. Those heard last at the end. */
	readonly #sensors = new Map<string, QuarantinedSensor>();
	readonly #file: CheckpointFile<QuarantinedSensor[]>;
	#saveTimer: NodeJS.Timeout | undefined;

	private constructor(file: CheckpointFile<QuarantinedSensor[]>) {
		this.#file = file;
	}

	/** Reads the sensors on disk. */
	static open(path: string): Quarantine {
		const quarantine = new Quarantine(new CheckpointFile<QuarantinedSensor[]>(path));
		for (const sensor of quarantine.#file.read().value ?? []) quarantine.#sensors.set(keyOf(sensor), sensor);
		return quarantine;
	}

	see({ raw, at, ...sighting }: Sighting): void {
		const key = keyOf(sighting);
		const known = this.#sensors.get(key);
		this.#sensors.delete(key);
		this.#sensors.set(key, {
			...sighting,
			firstSeen: known?.firstSeen ?? at,
			lastSeen: at,
			count: (known?.count ?? 0) + 1,
			sample: sampleOf(raw),
		});
		if (this.#sensors.size > MOST_SENSORS) this.#sensors.delete(this.#sensors.keys().next().value!);
		this.#saveSoon();
	}

	/** Under every domain that has one of this id. */
	of(sensorId: string): QuarantinedSensor[] {
		return [...this.#sensors.values()].filter((sensor) => sensor.sensorId === sensorId);
	}

	/** Its place is known now. */
	release(sensorId: string): void {
		for (const sensor of this.of(sensorId)) {
			this.#sensors.delete(keyOf(sensor));
			this.#saveSoon();
		}
	}

	/** The one heard last first. */
	list(visible: (sensor: QuarantinedSensor) => boolean): QuarantinedSensor[] {
		return [...this.#sensors.values()].reverse().filter(visible);
	}

	async close(): Promise<void> {
		clearTimeout(this.#saveTimer);
		if (this.#saveTimer) this.#save();
		await this.#file.settled();
	}

	#save(): void {
		this.#saveTimer = undefined;
		this.#file.write([...this.#sensors.values()]).catch(() => undefined);
	}

	#saveSoon(): void {
		this.#saveTimer ??= setTimeout(() => this.#save(), SAVE_AFTER_MS).unref();
	}
}

const keyOf = ({ domainName = '', sensorId }: Pick<QuarantinedSensor, 'domainName' | 'sensorId'>) =>
	`${domainName} ${sensorId}`;
