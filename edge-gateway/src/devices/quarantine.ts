/** Keeps the sensors that send readings but whose place is unknown. */
import type { QuarantinedSensor } from '@crowdvision/contracts';
import { CheckpointFile } from '@crowdvision/log';
import { sampleOf } from '../payload.ts';

/** What one refused message shows about such a sensor. */
export type Sighting = Omit<QuarantinedSensor, 'firstSeen' | 'lastSeen' | 'count' | 'sample'> & {
	raw: Buffer;
	at: number;
};

const MAX_SENSORS = 1000;
const SAVE_AFTER_MS = 1000;

/**
 * Sensors that wait to be adopted, one entry each, kept across restarts. Their readings are in the rejected list.
 * Bounded: above a thousand, the sensor that has been silent longest is removed, of the domain that has the most.
 */
export class Quarantine {
	/** By domain and id, as two tenants may use the same sensor id. The one seen last is at the end. */
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

	record({ raw, at, ...sighting }: Sighting): void {
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
		if (this.#sensors.size > MAX_SENSORS) this.#sensors.delete(this.#excess());
		this.#saveSoon();
	}

	/** The sensor that has been silent longest, of the domain that has the most here. */
	#excess(): string {
		const byDomain = Map.groupBy(this.#sensors, ([, { domainName = '' }]) => domainName);
		const [, most] = [...byDomain].reduce((a, b) => (b[1].length > a[1].length ? b : a));
		return most[0]![0];
	}

	/** The sensors with this id, of all domains. */
	of(sensorId: string): QuarantinedSensor[] {
		return [...this.#sensors.values()].filter((sensor) => sensor.sensorId === sensorId);
	}

	/** Removes a sensor whose place is known now, of the domains that are `meant`. */
	release(sensorId: string, isMeant: (domainName: string | undefined) => boolean): void {
		for (const sensor of this.of(sensorId)) {
			if (!isMeant(sensor.domainName)) continue;
			this.#sensors.delete(keyOf(sensor));
			this.#saveSoon();
		}
	}

	/** The visible sensors, the one seen last first. */
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
		this.#file.write([...this.#sensors.values()], { lazy: true }).catch(() => undefined);
	}

	#saveSoon(): void {
		this.#saveTimer ??= setTimeout(() => this.#save(), SAVE_AFTER_MS).unref();
	}
}

const keyOf = ({ domainName = '', sensorId }: Pick<QuarantinedSensor, 'domainName' | 'sensorId'>) =>
	`${domainName} ${sensorId}`;
