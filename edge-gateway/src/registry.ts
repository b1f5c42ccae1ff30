import type { Bus, Subscription } from '@crowdvision/bus';
import {
	domainCovers,
	generationInKey,
	idInKey,
	type RetainedBuilding,
	type RetainedRevocation,
	type RetainedSensor,
	SensorsById,
	TABLES,
	tenantOf,
} from '@crowdvision/contracts';
import { CheckpointFile } from '@crowdvision/log';

/** The copy on disk. */
interface RegistryCopy {
	buildings: Record<string, RetainedBuilding>;
	sensors: Record<string, RetainedSensor>;
	revoked?: Record<string, RetainedRevocation>;
	home?: string | undefined;
}

/** The places given to sensors of an id. */
type SensorLookup = { of(sensorId: string): readonly (RetainedSensor & { generation?: string })[] };

/** Which of the sensors of one id is meant: those of a domain's tenant, or else of a building's tenants. */
export interface Whose {
	domainName?: string | undefined;
	buildingId?: string | undefined;
}

const ANYBODY: Whose = {};

const SAVE_AFTER_MS = 1000;

/**
 * Buildings, registered sensors and revoked devices, as twin and auth retain them on the bus. A copy on disk serves a
 * start while the bus is away.
 */
export class Registry {
	readonly #buildings = new Map<string, RetainedBuilding>();
	/** By key of the table. */
	readonly #sensors = new SensorsById<RetainedSensor>();
	readonly #revoked = new Map<string, RetainedRevocation>();
	readonly #file: CheckpointFile<RegistryCopy>;
	readonly #adopted: SensorLookup | undefined;
	#watches: Promise<Subscription>[] = [];
	#saveTimer: NodeJS.Timeout | undefined;
	/** Of the rooms, by building and room; computed when they are first asked for. */
	readonly #generations = new Map<string, ReadonlyMap<string, string>>();
	/** Undefined after a change of a building, until it is computed again. */
	#isShared: boolean | undefined;
	#home: string | undefined;
	#revision = 0;

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
		for (const [key, sensor] of Object.entries(value?.sensors ?? {})) registry.#sensors.set(key, sensor);
		for (const [id, revocation] of Object.entries(value?.revoked ?? {})) registry.#revoked.set(id, revocation);
		registry.#home = value?.home;
		return registry;
	}

	/** Rises with every change. */
	get revision(): number {
		return this.#revision;
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

	/** Whether a room, named by its `generationKey`, was removed from a building that is known. */
	isOver(buildingId: string, roomKey: string): boolean {
		const roomId = idInKey(roomKey);
		const rooms = this.#buildings.get(buildingId)?.rooms;
		const generation = generationInKey(roomKey);
		// Without a generation it may be a room that nobody has made yet.
		if (!rooms || generation === undefined) return false;
		return this.generationOf(buildingId, roomId) !== generation;
	}

	/** Whether there are buildings of several top-level domains. */
	get isShared(): boolean {
		this.#isShared ??=
			new Set([...this.#buildings.values()].flatMap(({ domains }) => domains.map((name) => name.split('/', 1)[0])))
				.size > 1;
		return this.#isShared;
	}

	/**
	 * The tenant whose sensors go by their ids alone in what is named by sensor, such as topics of the local broker and
	 * series of readings; those of other tenants are named by tenant and id. It is the first tenant that the gateway
	 * knows, for good, so nothing is renamed where there is only one; of several, the one with the most sensors.
	 * Undefined while no building is known.
	 */
	get home(): string | undefined {
		if (this.#home === undefined) {
			this.#home = this.#mainTenant();
			if (this.#home !== undefined) this.#saveSoon();
		}
		return this.#home;
	}

	/**
	 * The sensor with this id, where it is registered or else was placed at this gateway.
	 * @param whose by default, and for a building that has none, the only sensor with this id; undefined where there are
	 * several
	 */
	sensor(id: string, whose: Whose = ANYBODY): RetainedSensor | undefined {
		const registered = this.#sensors.of(id);
		const found = registered.length > 0 ? this.#pick(registered, whose) : undefined;
		if (found) return found;
		const adopted = this.#adopted?.of(id);
		return adopted && adopted.length > 0 ? this.#pick(this.#present(adopted), whose) : undefined;
	}

	/** The sensors with this id, of all tenants. */
	sensors(id: string): readonly RetainedSensor[] {
		const registered = this.#sensors.of(id);
		const adopted = this.#present(this.#adopted?.of(id) ?? []);
		return [...registered, ...adopted.filter(({ buildingId }) => !this.#sensors.in(buildingId, id))];
	}

	/** The sensor with this id of the tenants of a building; of any, for a building that nobody knows. */
	sensorOfTenants(id: string, buildingId: string): RetainedSensor | undefined {
		return this.sensors(id).find((sensor) => this.haveTenantInCommon(buildingId, sensor.buildingId));
	}

	/** Whether a building is of this tenant, or nobody knows whose it is. */
	isOfTenant(buildingId: string, tenant: string): boolean {
		const owners = this.#buildings.get(buildingId)?.domains;
		return owners === undefined || owners.some((owner) => tenantOf(owner) === tenant);
	}

	/** Whether two buildings have a tenant in common, or nobody knows whose one of them is. */
	haveTenantInCommon(buildingId: string, otherId: string): boolean {
		const owners = this.#buildings.get(buildingId)?.domains;
		if (buildingId === otherId || owners === undefined) return true;
		return owners.some((owner) => this.isOfTenant(otherId, tenantOf(owner)));
	}

	/** Places in rooms that are still the same: one in a room that is no more is none in the room that has its id now. */
	#present<S extends RetainedSensor & { generation?: string }>(adopted: readonly S[]): readonly S[] {
		return adopted.filter(
			({ buildingId, roomId, generation }) =>
				this.generationOf(buildingId, roomId) === generation || !this.#buildings.has(buildingId),
		);
	}

	#pick<S extends RetainedSensor>(sensors: readonly S[], { domainName, buildingId }: Whose): S | undefined {
		if (domainName !== undefined) {
			const tenant = tenantOf(domainName);
			const own = sensors.filter((sensor) => this.isOfTenant(sensor.buildingId, tenant));
			return own.length < 2 ? own[0] : (own.find((sensor) => this.#covers(domainName, sensor)) ?? own[0]);
		}
		if (sensors.length === 1) return sensors[0];
		if (buildingId === undefined) return undefined;
		const owners = this.#buildings.get(buildingId)?.domains ?? [];
		return (
			sensors.find((sensor) => sensor.buildingId === buildingId) ??
			sensors.find((sensor) => owners.some((owner) => this.isOfTenant(sensor.buildingId, tenantOf(owner))))
		);
	}

	#covers(domainName: string, { buildingId }: RetainedSensor): boolean {
		return this.#buildings.get(buildingId)?.domains.some((owner) => domainCovers(domainName, owner)) ?? false;
	}

	/** The tenant with the most registered sensors, then the most buildings, then the first in the alphabet. */
	#mainTenant(): string | undefined {
		const weights = new Map<string, number>();
		const add = (buildingId: string, weight: number) => {
			for (const tenant of new Set(this.#buildings.get(buildingId)?.domains.map(tenantOf)))
				weights.set(tenant, (weights.get(tenant) ?? 0) + weight);
		};
		for (const id of this.#buildings.keys()) add(id, 1);
		for (const [, { buildingId }] of this.#sensors) add(buildingId, this.#buildings.size + 1);
		const [main] = [...weights].sort(([a, more], [b, most]) => most - more || (a < b ? -1 : 1));
		return main?.[0];
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
			bus.watch(TABLES.sensors, (key, value) => {
				this.#sensors.set(key, value === null ? undefined : (JSON.parse(value) as RetainedSensor));
				this.#revision++;
				this.#saveSoon();
			}),
			bus.watch(TABLES.revokedDevices, (id, value) => this.#update(this.#revoked, id, value)),
		];
		await Promise.all(this.#watches);
	}

	#update<T>(table: Map<string, T>, id: string, value: string | null): void {
		if (value === null) table.delete(id);
		else table.set(id, JSON.parse(value) as T);
		this.#revision++;
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
			home: this.home,
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
