/** Places that staff gave to sensors at this gateway, until the service twin has registered them. */
import type { Bus, Subscription } from '@crowdvision/bus';
import { type RetainedAdoption, type RetainedSensor, TABLES } from '@crowdvision/contracts';
import { CheckpointFile } from '@crowdvision/log';
import { type Logger, pause } from '@crowdvision/service-kit';

/** A sensor that was replaced by another one. The field names are those of the file on disk. */
interface Retired {
	/** The sensor that has its place now. */
	by: string;
	/** Epoch ms. */
	at: number;
	/** It is no longer registered. If it is registered again, it is no longer retired. */
	gone: boolean;
}

/** The file on disk. */
interface StoredAdoptions {
	adopted: Record<string, RetainedAdoption>;
	retired: Record<string, Retired>;
}

/** What `Adoptions` needs. */
export interface AdoptionsParts {
	gatewayId: string;
	/** Called when a sensor gets a place, by adoption or by registration. */
	onPlaced: (sensorId: string) => void;
	logger: Logger;
}

const REPUBLISH_MS = 30_000;

/**
 * Sensors that staff gave a place at this gateway. The service twin owns the registry of sensors, so an adoption is
 * stored here, takes effect here at once, and is published on the bus until twin's registry contains it. From then on
 * twin decides. Without a bus the gateway keeps the adoption.
 */
export class Adoptions {
	readonly #file: CheckpointFile<StoredAdoptions>;
	readonly #gatewayId: string;
	readonly #onPlaced: (sensorId: string) => void;
	readonly #logger: Logger;
	readonly #adopted: Map<string, RetainedAdoption>;
	readonly #retired: Map<string, Retired>;
	/** The sensors in twin's registry. */
	readonly #registered = new Map<string, RetainedSensor>();
	readonly #stopping = new AbortController();
	readonly #watches: Subscription[] = [];
	#bus: Bus | undefined;
	#republishing: Promise<void> | undefined;

	private constructor(
		file: CheckpointFile<StoredAdoptions>,
		stored: StoredAdoptions | undefined,
		parts: AdoptionsParts,
	) {
		this.#file = file;
		this.#adopted = new Map(Object.entries(stored?.adopted ?? {}));
		this.#retired = new Map(Object.entries(stored?.retired ?? {}));
		this.#gatewayId = parts.gatewayId;
		this.#onPlaced = parts.onPlaced;
		this.#logger = parts.logger;
	}

	/** Reads the adoptions on disk. */
	static open(path: string, parts: AdoptionsParts): Adoptions {
		const file = new CheckpointFile<StoredAdoptions>(path);
		return new Adoptions(file, file.read().value, parts);
	}

	/** The place of an adopted sensor that is not yet in twin's registry. */
	sensor(sensorId: string): RetainedAdoption | undefined {
		return this.#adopted.get(sensorId);
	}

	/** The sensor that replaced this one, if it is retired. */
	replacedBy(sensorId: string): string | undefined {
		return this.#retired.get(sensorId)?.by;
	}

	get hasRetired(): boolean {
		return this.#retired.size > 0;
	}

	/**
	 * Gives a sensor a place; with `replaces`, the place of that sensor, which is retired. `at` is in epoch ms. Resolves
	 * when the adoption is durable.
	 * @throws the disk's error; then nothing has changed.
	 */
	async adopt(
		place: RetainedSensor & { replaces?: string; generation?: string | undefined },
		at: number,
	): Promise<void> {
		const { sensorId, buildingId, roomId, replaces, generation } = place;
		const [adopted, retired] = [new Map(this.#adopted), new Map(this.#retired)];
		adopted.set(sensorId, {
			sensorId,
			buildingId,
			roomId,
			...(replaces !== undefined && { replaces }),
			...(generation !== undefined && { generation }),
			gatewayId: this.#gatewayId,
			at,
		});
		retired.delete(sensorId);
		if (replaces !== undefined) {
			adopted.delete(replaces);
			retired.set(replaces, { by: sensorId, at, gone: !this.#registered.has(replaces) });
		}
		await this.#file.write({ adopted: Object.fromEntries(adopted), retired: Object.fromEntries(retired) });
		replaceAll(this.#adopted, adopted);
		replaceAll(this.#retired, retired);
		this.#onPlaced(sensorId);
		this.#publish(sensorId);
	}

	/** Follows twin's registry and answers on the bus, and publishes the adoptions. */
	async follow(bus: Bus): Promise<void> {
		this.#bus = bus;
		this.#watches.push(await bus.watch(TABLES.sensors, (sensorId, value) => this.#onRegistered(sensorId, value)));
		this.#watches.push(await bus.watch(TABLES.adoptions, (sensorId, value) => this.#onAnswer(sensorId, value)));
		this.#republishing = this.#republish(this.#stopping.signal);
	}

	async close(): Promise<void> {
		this.#stopping.abort();
		await Promise.all(this.#watches.map((watch) => watch.close()));
		await this.#republishing;
		await this.#file.settled();
	}

	#onRegistered(sensorId: string, value: string | null): void {
		if (value === null) this.#registered.delete(sensorId);
		else this.#registered.set(sensorId, JSON.parse(value) as RetainedSensor);
		const retired = this.#retired.get(sensorId);
		if (retired && value === null) this.#change(() => this.#retired.set(sensorId, { ...retired, gone: true }));
		else if (retired?.gone) this.#change(() => this.#retired.delete(sensorId));
		if (value !== null) this.#onPlaced(sensorId);
		for (const adoption of this.#adopted.values()) {
			if (adoption.sensorId === sensorId || adoption.replaces === sensorId) this.#handOver(adoption);
		}
	}

	/** Deletes an adoption that twin's registry contains. */
	#handOver({ sensorId, replaces }: RetainedAdoption): void {
		if (!this.#registered.has(sensorId) || (replaces !== undefined && this.#registered.has(replaces))) return;
		this.#change(() => this.#adopted.delete(sensorId));
		this.#retain(sensorId, null);
	}

	/** Undoes an adoption that twin refuses; it answers in the same table. */
	#onAnswer(sensorId: string, value: string | null): void {
		const answer = value === null ? undefined : (JSON.parse(value) as RetainedAdoption);
		const adoption = this.#adopted.get(sensorId);
		if (!adoption || answer?.refused === undefined || answer.at !== adoption.at || answer.gatewayId !== this.#gatewayId)
			return;
		this.#logger.warn({ sensorId, reason: answer.refused }, 'twin refused an adoption; it is undone');
		this.#change(() => {
			this.#adopted.delete(sensorId);
			if (adoption.replaces !== undefined) this.#retired.delete(adoption.replaces);
		});
		this.#retain(sensorId, null);
	}

	#change(change: () => unknown): void {
		change();
		const stored = { adopted: Object.fromEntries(this.#adopted), retired: Object.fromEntries(this.#retired) };
		this.#file
			.write(stored)
			.catch((error: unknown) => this.#logger.warn({ err: error }, 'the adoptions could not be written'));
	}

	#publish(sensorId: string): void {
		const adoption = this.#adopted.get(sensorId);
		if (adoption) this.#retain(sensorId, JSON.stringify(adoption));
	}

	/** Publishes the adoptions regularly, as the bus may have lost them or twin may have been down. */
	async #republish(signal: AbortSignal): Promise<void> {
		while (!signal.aborted) {
			for (const sensorId of this.#adopted.keys()) this.#publish(sensorId);
			await pause(REPUBLISH_MS, signal);
		}
	}

	#retain(sensorId: string, value: string | null): void {
		this.#bus?.retain(TABLES.adoptions, sensorId, value).catch((error: Error) => {
			this.#logger.debug(
				{ err: error.message, sensorId },
				'an adoption could not be published; it is published again later',
			);
		});
	}
}

function replaceAll<T>(map: Map<string, T>, by: Map<string, T>): void {
	map.clear();
	for (const [key, value] of by) map.set(key, value);
}
