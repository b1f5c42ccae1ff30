import type { Bus, Subscription } from '@crowdvision/bus';
import { type RetainedBuilding, type RetainedRevocation, type RetainedSensor, TABLES } from '@crowdvision/contracts';
import { CheckpointFile } from '@crowdvision/log';

interface Kept {
	buildings: Record<string, RetainedBuilding>;
	sensors: Record<string, RetainedSensor>;
	revoked?: Record<string, RetainedRevocation>;
}

/** Where a sensor stands, by its id. */
type SensorLookup = { sensor(id: string): RetainedSensor | undefined };

const SAVE_AFTER_MS = 1000;

/**
 * Buildings and registered sensors, as twin retains them on the bus; kept on disk for a start while the bus is away.
 */
export class Registry {
	readonly #buildings = new Map<string, RetainedBuilding>();
	readonly #sensors = new Map<string, RetainedSensor>();
	readonly #revoked = new Map<string, RetainedRevocation>();
	readonly #file: CheckpointFile<Kept>;
	readonly #adopted: SensorLookup | undefined;
	#watches: Promise<Subscription>[] = [];
	#saveTimer: NodeJS.Timeout | undefined;
	/** Known until a building changes. */
	#isShared: boolean | undefined;

	private constructor(file: CheckpointFile<Kept>, adopted: SensorLookup | undefined) {
		this.#file = file;
		this.#adopted = adopted;
	}

	/**
	 * Reads the copy on disk.
	 * @param adopted places given at this gateway; they count while twin does not say where a sensor stands
	 */
	static open(path: string, adopted?: SensorLookup): Registry {
		const registry = new Registry(new CheckpointFile<Kept>(path), adopted);
		const { value } = registry.#file.read();
		for (const [id, building] of Object.entries(value?.buildings ?? {})) registry.#buildings.set(id, building);
		for (const [id, sensor] of Object.entries(value?.sensors ?? {})) registry.#sensors.set(id, sensor);
		for (const [id, revocation] of Object.entries(value?.revoked ?? {})) registry.#revoked.set(id, revocation);
		return registry;
	}

	building(id: string): RetainedBuilding | undefined {
		return this.#buildings.get(id);
	}

	/** Whether there are buildings of more than one top-level domain. */
	get isShared(): boolean {
		this.#isShared ??=
			new Set([...this.#buildings.values()].flatMap(({ domains }) => domains.map((name) => name.split('/', 1)[0])))
				.size > 1;
		return this.#isShared;
	}

	sensor(id: string): RetainedSensor | undefined {
		return this.#sensors.get(id) ?? this.#adopted?.sensor(id);
	}

	/** Whether a device's token of that time (epoch seconds) is void. */
	isRevoked(deviceId: string, issuedAt = 0): boolean {
		const revocation = this.#revoked.get(deviceId);
		return revocation !== undefined && issuedAt <= revocation.before;
	}

	/**
	 * Follows the bus from now on; where it is away, from when it is back, and what was kept on disk counts until then.
	 */
	async follow(bus: Bus): Promise<void> {
		// All at once: each waits a few seconds for a bus that is away, and readings wait outside meanwhile.
		this.#watches = [
			bus.watch(TABLES.buildings, (id, value) => this.#take(this.#buildings, id, value)),
			bus.watch(TABLES.sensors, (id, value) => this.#take(this.#sensors, id, value)),
			bus.watch(TABLES.revokedDevices, (id, value) => this.#take(this.#revoked, id, value)),
		];
		await Promise.all(this.#watches);
	}

	#take<T>(table: Map<string, T>, id: string, value: string | null): void {
		if (value === null) table.delete(id);
		else table.set(id, JSON.parse(value) as T);
		this.#isShared = undefined;
		this.#saveSoon();
	}

	#saveSoon(): void {
		this.#saveTimer ??= setTimeout(() => this.#save(), SAVE_AFTER_MS).unref();
	}

	#save(): void {
		this.#saveTimer = undefined;
		this.#file.write(this.#export()).catch(() => undefined);
	}

	#export(): Kept {
		return {
			buildings: Object.fromEntries(this.#buildings),
			sensors: Object.fromEntries(this.#sensors),
			revoked: Object.fromEntries(this.#revoked),
		};
	}

	async close(): Promise<void> {
		for (const watch of await Promise.allSettled(this.#watches))
			if (watch.status === 'fulfilled') await watch.value.close();
		clearTimeout(this.#saveTimer);
		// What the disk does not take, twin retains: nothing that is closed after this waits for it.
		if (this.#saveTimer) this.#save();
		await this.#file.settled();
	}
}
