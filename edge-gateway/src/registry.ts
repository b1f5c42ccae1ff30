import type { Bus, Subscription } from '@crowdvision/bus';
import { type RetainedBuilding, type RetainedRevocation, type RetainedSensor, TABLES } from '@crowdvision/contracts';
import { CheckpointFile } from '@crowdvision/log';

/** The copy on disk. */
interface RegistryCopy {
	buildings: Record<string, RetainedBuilding>;
	sensors: Record<string, RetainedSensor>;
	revoked?: Record<string, RetainedRevocation>;
}

/** Where a sensor stands, by its id. */
type SensorLookup = { sensor(id: string): (RetainedSensor & { generation?: string }) | undefined };

const SAVE_AFTER_MS = 1000;

/**
 * Buildings, registered sensors and revoked devices, as twin and auth retain them on the bus. A copy on disk serves a
 * start while the bus is away.
 */
export class Registry {
	readonly #buildings = new Map<string, RetainedBuilding>();
	readonly #sensors = new Map<string, RetainedSensor>();
	readonly #revoked = new Map<string, RetainedRevocation>();
	readonly #file: CheckpointFile<RegistryCopy>;
	readonly #adopted: SensorLookup | undefined;
	#watches: Promise<Subscription>[] = [];
	#saveTimer: NodeJS.Timeout | undefined;
	/** Of the rooms, by building and room; computed when they are first asked for. */
	readonly #generations = new Map<string, ReadonlyMap<string, string>>();
	/** Undefined after a change of a building, until it is computed again. */
	#isShared: boolean | undefined;

	private constructor(file: CheckpointFile<RegistryCopy>, adopted: SensorLookup | undefined) {
		this.#file = file;
		this.#adopted = adopted;
	}

	/**
	 * Reads the copy on disk.
	 * @param adopted places given at this gateway; they count while twin does not say where a sensor stands
	 */
	static open(path: string, adopted?: SensorLookup): Registry {
		const registry = new Registry(new CheckpointFile<RegistryCopy>(path), adopted);
		const { value } = registry.#file.read();
		for (const [id, building] of Object.entries(value?.buildings ?? {})) registry.#buildings.set(id, building);
		for (const [id, sensor] of Object.entries(value?.sensors ?? {})) registry.#sensors.set(id, sensor);
		for (const [id, revocation] of Object.entries(value?.revoked ?? {})) registry.#revoked.set(id, revocation);
		return registry;
	}

	building(id: string): RetainedBuilding | undefined {
		return this.#buildings.get(id);
	}

	/** The generation of a room; undefined for an unknown room, or one that an earlier version made. */
	generationOf(buildingId: string, roomId: string): string | undefined {
		let rooms = this.#generations.get(buildingId);
		if (!rooms) {
			const known = this.#buildings.get(buildingId)?.rooms ?? [];
			rooms = new Map(known.flatMap(({ id, generation }) => (generation === undefined ? [] : [[id, generation]])));
			if (known.length > 0) this.#generations.set(buildingId, rooms);
		}
		return rooms.get(roomId);
	}

	/** Whether there are buildings of several top-level domains. */
	get isShared(): boolean {
		this.#isShared ??=
			new Set([...this.#buildings.values()].flatMap(({ domains }) => domains.map((name) => name.split('/', 1)[0])))
				.size > 1;
		return this.#isShared;
	}

	sensor(id: string): RetainedSensor | undefined {
		const registered = this.#sensors.get(id);
		if (registered) return registered;
		const adopted = this.#adopted?.sensor(id);
		// A place in a room that is no more is none in the room that has its id now.
		const isGone = adopted && this.generationOf(adopted.buildingId, adopted.roomId) !== adopted.generation;
		return isGone && this.#buildings.has(adopted.buildingId) ? undefined : adopted;
	}

	/** Whether a device's token that was issued at this time (epoch seconds) is void. */
	isRevoked(deviceId: string, issuedAt = 0): boolean {
		const revocation = this.#revoked.get(deviceId);
		return revocation !== undefined && issuedAt <= revocation.before;
	}

	/** Follows the bus. While the bus is away, the copy on disk counts. */
	async follow(bus: Bus): Promise<void> {
		// In parallel: each waits a few seconds for a bus that is away, and no reading is taken before.
		this.#watches = [
			bus.watch(TABLES.buildings, (id, value) => this.#update(this.#buildings, id, value)),
			bus.watch(TABLES.sensors, (id, value) => this.#update(this.#sensors, id, value)),
			bus.watch(TABLES.revokedDevices, (id, value) => this.#update(this.#revoked, id, value)),
		];
		await Promise.all(this.#watches);
	}

	#update<T>(table: Map<string, T>, id: string, value: string | null): void {
		if (value === null) table.delete(id);
		else table.set(id, JSON.parse(value) as T);
		this.#isShared = undefined;
		this.#generations.delete(id);
		this.#saveSoon();
	}

	#saveSoon(): void {
		this.#saveTimer ??= setTimeout(() => this.#save(), SAVE_AFTER_MS).unref();
	}

	#save(): void {
		this.#saveTimer = undefined;
		this.#file.write(this.#export(), { lazy: true }).catch(() => undefined);
	}

	#export(): RegistryCopy {
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
		// A failed write is no loss: the bus retains all of this.
		if (this.#saveTimer) this.#save();
		await this.#file.settled();
	}
}
