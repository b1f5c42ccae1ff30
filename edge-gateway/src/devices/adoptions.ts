/** Places that staff gave to sensors at this gateway, until the service twin has registered them. */
import type { Bus, Subscription } from '@crowdvision/bus';
import {
	type RetainedAdoption,
	type RetainedSensor,
	SensorsById,
	sensorKey,
	TABLES,
	tenantOf,
} from '@crowdvision/contracts';
import { CheckpointFile } from '@crowdvision/log';
import { type Logger, pause } from '@crowdvision/service-kit';
import type { Registry } from '../registry.ts';

/** A sensor that was replaced by another one. The field names are those of the file on disk. */
interface Retired {
	sensorId: string;
	/** Empty in a file of an earlier version, until `locate`: the sensor is then retired in all domains. */
	buildingId: string;
	/** The sensor that has its place now. */
	by: string;
	/** Epoch ms. */
	at: number;
	/** It is no longer registered. If it is registered again, it is no longer retired. */
	gone: boolean;
}

/** The file on disk: by key, as `sensorKey`. */
interface StoredAdoptions {
	adopted: Record<string, RetainedAdoption>;
	retired: Record<string, Omit<Retired, 'sensorId' | 'buildingId'> & Partial<Retired>>;
}

/** What `Adoptions` needs. */
export interface AdoptionsParts {
	gatewayId: string;
	/** Called when a sensor gets a place in a building, by adoption or by registration. */
	onPlaced: (sensorId: string, buildingId: string) => void;
	/** Whose buildings are. */
	tenancy: Pick<Registry, 'isOfTenant' | 'haveTenantInCommon'>;
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
	readonly #onPlaced: AdoptionsParts['onPlaced'];
	readonly #tenancy: AdoptionsParts['tenancy'];
	readonly #logger: Logger;
	readonly #adopted = new SensorsById<RetainedAdoption>();
	readonly #retired = new SensorsById<Retired>();
	/** The sensors in twin's registry. */
	readonly #registered = new SensorsById<RetainedSensor>();
	/** The adoptions of all gateways on the bus. */
	readonly #published = new SensorsById<RetainedAdoption>();
	readonly #stopping = new AbortController();
	readonly #watches: Subscription[] = [];
	#revision = 0;
	#bus: Bus | undefined;
	#republishing: Promise<void> | undefined;

	private constructor(
		file: CheckpointFile<StoredAdoptions>,
		stored: StoredAdoptions | undefined,
		parts: AdoptionsParts,
	) {
		this.#file = file;
		for (const [key, adoption] of Object.entries(stored?.adopted ?? {})) this.#adopted.set(key, adoption);
		for (const [key, retired] of Object.entries(stored?.retired ?? {}))
			this.#retired.set(key, { sensorId: key, buildingId: '', ...retired });
		this.#tenancy = parts.tenancy;
		this.#gatewayId = parts.gatewayId;
		this.#onPlaced = parts.onPlaced;
		this.#logger = parts.logger;
	}

	/** Reads the adoptions on disk. */
	static open(path: string, parts: AdoptionsParts): Adoptions {
		const file = new CheckpointFile<StoredAdoptions>(path);
		return new Adoptions(file, file.read().value, parts);
	}

	/** Rises with every change. */
	get revision(): number {
		return this.#revision;
	}

	/** The places of adopted sensors with this id that are not yet in twin's registry. */
	of(sensorId: string): readonly RetainedAdoption[] {
		return this.#adopted.of(sensorId);
	}

	/** The sensor that replaced this one of a domain, if it is retired; for a port (no domain), of any. */
	replacedBy(sensorId: string, domainName: string | undefined): string | undefined {
		const tenant = domainName === undefined ? undefined : tenantOf(domainName);
		const found = this.#retired.of(sensorId);
		return found.find(({ buildingId }) => tenant === undefined || this.#tenancy.isOfTenant(buildingId, tenant))?.by;
	}

	get hasRetired(): boolean {
		return !this.#retired[Symbol.iterator]().next().done;
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
		const key = sensorKey(place, this.#adopted.get(sensorId) ?? this.#published.get(sensorId));
		const adoption: RetainedAdoption = {
			sensorId,
			buildingId,
			roomId,
			...(replaces !== undefined && { replaces }),
			...(generation !== undefined && { generation }),
			gatewayId: this.#gatewayId,
			at,
		};
		const [adopted, retired] = [new Map(this.#adopted), new Map(this.#retired)];
		adopted.set(key, adoption);
		const isOf = (id: string) => (one: Retired | RetainedAdoption) =>
			one.sensorId === id && this.#tenancy.haveTenantInCommon(one.buildingId, buildingId);
		removeWhere(retired, isOf(sensorId));
		if (replaces !== undefined) {
			removeWhere(adopted, isOf(replaces));
			const leaves = { sensorId: replaces, buildingId, by: sensorId, at };
			const isRegistered = this.#registered.in(buildingId, replaces) !== undefined;
			retired.set(sensorKey(leaves, retired.get(replaces)), { ...leaves, gone: !isRegistered });
		}
		await this.#file.write({ adopted: Object.fromEntries(adopted), retired: Object.fromEntries(retired) });
		replaceAll(this.#adopted, adopted);
		replaceAll(this.#retired, retired);
		this.#revision++;
		this.#onPlaced(sensorId, buildingId);
		this.#publish(key);
	}

	/**
	 * Gives what an earlier version kept its building: that of the sensor which took the place.
	 * @param sensors the known sensors of an id
	 */
	locate(sensors: (sensorId: string) => readonly RetainedSensor[]): void {
		for (const [key, retired] of [...this.#retired]) {
			const [place] = retired.buildingId === '' ? sensors(retired.by) : [];
			if (place) this.#change(() => this.#retired.set(key, { ...retired, buildingId: place.buildingId }));
		}
	}

	/** Follows twin's registry and answers on the bus, and publishes the adoptions. */
	async follow(bus: Bus): Promise<void> {
		this.#bus = bus;
		this.#watches.push(await bus.watch(TABLES.sensors, (key, value) => this.#onRegistered(key, value)));
		this.#watches.push(await bus.watch(TABLES.adoptions, (key, value) => this.#onAnswer(key, value)));
		this.#republishing = this.#republish(this.#stopping.signal);
	}

	async close(): Promise<void> {
		this.#stopping.abort();
		await Promise.all(this.#watches.map((watch) => watch.close()));
		await this.#republishing;
		await this.#file.settled();
	}

	#onRegistered(key: string, value: string | null): void {
		const registered = value === null ? undefined : (JSON.parse(value) as RetainedSensor);
		const changed = registered ?? this.#registered.get(key);
		this.#registered.set(key, registered);
		if (!changed) return;
		const { sensorId, buildingId } = changed;
		for (const [retiredKey, retired] of [...this.#retired]) {
			if (retired.sensorId !== sensorId || !this.#tenancy.haveTenantInCommon(retired.buildingId, buildingId)) continue;
			if (!registered) this.#change(() => this.#retired.set(retiredKey, { ...retired, gone: true }));
			else if (retired.gone) this.#change(() => this.#retired.set(retiredKey, undefined));
		}
		if (registered) this.#onPlaced(sensorId, buildingId);
		for (const [adoptedKey, adoption] of [...this.#adopted]) {
			const isAbout = adoption.sensorId === sensorId || adoption.replaces === sensorId;
			if (isAbout && adoption.buildingId === buildingId) this.#handOver(adoptedKey, adoption);
		}
	}

	/** Deletes an adoption that twin's registry contains. */
	#handOver(key: string, { sensorId, buildingId, replaces }: RetainedAdoption): void {
		if (!this.#registered.in(buildingId, sensorId)) return;
		if (replaces !== undefined && this.#registered.in(buildingId, replaces)) return;
		this.#change(() => this.#adopted.set(key, undefined));
		this.#retain(key, null);
	}

	/** Undoes an adoption that twin refuses; it answers in the same table. */
	#onAnswer(key: string, value: string | null): void {
		const answer = value === null ? undefined : (JSON.parse(value) as RetainedAdoption);
		this.#published.set(key, answer);
		const adoption = this.#adopted.get(key);
		if (!adoption || answer?.refused === undefined || answer.at !== adoption.at || answer.gatewayId !== this.#gatewayId)
			return;
		const { sensorId, buildingId, replaces } = adoption;
		this.#logger.warn({ sensorId, reason: answer.refused }, 'twin refused an adoption; it is undone');
		this.#change(() => {
			this.#adopted.set(key, undefined);
			for (const [retiredKey, retired] of [...this.#retired])
				if (retired.sensorId === replaces && retired.buildingId === buildingId)
					this.#retired.set(retiredKey, undefined);
		});
		this.#retain(key, null);
	}

	#change(change: () => unknown): void {
		change();
		this.#revision++;
		const stored = { adopted: Object.fromEntries(this.#adopted), retired: Object.fromEntries(this.#retired) };
		this.#file
			.write(stored)
			.catch((error: unknown) => this.#logger.warn({ err: error }, 'the adoptions could not be written'));
	}

	#publish(key: string): void {
		const adoption = this.#adopted.get(key);
		if (adoption) this.#retain(key, JSON.stringify(adoption));
	}

	/** Publishes the adoptions regularly, as the bus may have lost them or twin may have been down. */
	async #republish(signal: AbortSignal): Promise<void> {
		while (!signal.aborted) {
			for (const [key] of this.#adopted) this.#publish(key);
			await pause(REPUBLISH_MS, signal);
		}
	}

	#retain(key: string, value: string | null): void {
		this.#bus?.retain(TABLES.adoptions, key, value).catch((error: Error) => {
			this.#logger.debug(
				{ err: error.message, key },
				'an adoption could not be published; it is published again later',
			);
		});
	}
}

function replaceAll<S extends { sensorId: string; buildingId: string }>(
	sensors: SensorsById<S>,
	by: ReadonlyMap<string, S>,
): void {
	for (const [key] of [...sensors]) if (!by.has(key)) sensors.set(key, undefined);
	for (const [key, value] of by) sensors.set(key, value);
}

function removeWhere<T>(map: Map<string, T>, isMeant: (value: T) => boolean): void {
	for (const [key, value] of map) if (isMeant(value)) map.delete(key);
}
