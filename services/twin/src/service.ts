import type { Bus } from '@crowdvision/bus';
import { type Building, STREAMS, TABLES } from '@crowdvision/contracts';
import {
	BusLinks,
	Counter,
	onLeading,
	RetainedTable,
	type Service,
	type ServiceContext,
} from '@crowdvision/service-kit';
import { electLeader, type ReadingRetention, type Stores } from '@crowdvision/store';
import { Buildings } from './buildings/buildings.ts';
import { catalogBeforeProbes } from './catalog.ts';
import { lead } from './leader.ts';
import { followAdoptions } from './on-adoption.ts';
import { followDevices } from './on-device.ts';
import { twinRoutes } from './routes.ts';
import { Sensors } from './sensors/sensors.ts';
import { retentionOf, TWIN_SETTINGS } from './settings.ts';
import { OfflineDevices } from './state/offline-devices.ts';
import { COLLECTIONS } from './store.ts';

export interface TwinContext extends ServiceContext {
	bus: Bus;
	stores: Stores;
}

export interface TwinOptions {
	/** How long history is kept; by default as the settings' defaults say. */
	retention?: ReadingRetention;
	/**
	 * Several processes share the store: each answers requests, one takes readings in. A store in files is one process's
	 * alone.
	 */
	replicas?: boolean;
}

/** The same in every process and after a restart: a new leader first gets what the previous one had not acknowledged. */
const MEMBER = 'twin-1';

/** The service, and what the embedded composition needs of it to set up the demo. */
export interface Twin extends Service {
	/** Makes sure that there is a building with this id; one that exists stays as it is. */
	ensureBuilding(building: Building & { domains: string[] }): Promise<void>;
	/** Registers a sensor where it is not; throws `conflict` when it stands in another building. */
	ensureSensor(sensor: { sensorId: string; buildingId: string; roomId: string }): Promise<void>;
	/** How far the telemetry is taken in, as a position of the bus; undefined before anything was. */
	progress(): Promise<string | undefined>;
}

const DEFAULT_RETENTION = retentionOf({
	HISTORY_DAYS: Number(TWIN_SETTINGS.HISTORY_DAYS.default),
	ROLL_UP_DAYS: Number(TWIN_SETTINGS.ROLL_UP_DAYS.default),
});

/**
 * What the buildings look like, and how things stand in them, now and over time.
 *
 *   POST /buildings ─▶ buildings ─┬─▶ bus: registry:buildings ─▶ everybody who must know rooms, limits and owners
 *   POST …/sensors ──▶ sensors ───┴─▶ bus: registry:sensors ───▶ gateways
 *   bus: registry:adoptions ─▶ sensors
 *
 *   bus: telemetry (group twin) ─▶ one transaction { readings, latest of each sensor, stale periods, progress } ─▶ acknowledged
 *   bus: devices ─▶ offline ───────────────────┐ │        │                   │
 *                  GET …/state { cursor, rooms } ◀──┘        │          upkeep: roll-ups
 *                                                            └─▶ GET …/history ◀─┘
 */
export async function createTwin(
	context: TwinContext,
	{ retention = DEFAULT_RETENTION, replicas = false }: TwinOptions = {},
): Promise<Twin> {
	const { bus, stores, tokens, metrics, logger } = context;
	const store = await stores.open('twin', { collections: COLLECTIONS, readings: retention });
	const { readings } = store;
	const buildings = new Buildings(store);
	const sensors = new Sensors(store);
	const offline = new OfflineDevices(store);
	const tables = {
		buildings: new RetainedTable(bus, TABLES.buildings, buildings, logger),
		sensors: new RetainedTable(bus, TABLES.sensors, sensors, logger),
	};
	const taken = new Counter({
		name: 'twin_readings_taken_total',
		help: 'Readings taken in from the stream, repetitions included',
		registers: [metrics],
	});
	const open = () => lead({ bus, readings, buildings, offline, logger, member: MEMBER, taken });
	const leading = () =>
		onLeading({ open, metrics, name: 'twin_on_duty', help: '1 in the replica that takes readings in', logger });
	const links = new BusLinks(logger);
	await Promise.all([tables.buildings.start(), tables.sensors.start()]);
	await links.open(
		() => followDevices({ bus, offline, logger }),
		() => followAdoptions({ bus, sensors, told: tables.sensors, logger }),
		replicas ? async () => electLeader(store, { name: 'duty', logger }, leading()) : open,
	);

	return {
		name: 'twin',
		router: twinRoutes({ buildings, sensors, readings, offline, tokens, tables }),
		beforeProbes: catalogBeforeProbes(),
		trouble: async () => links.trouble() ?? (await bus.trouble()) ?? store.trouble(),
		stop: async () => {
			await links.close();
			await Promise.all([tables.buildings.stop(), tables.sensors.stop()]);
			await store.close();
		},
		ensureBuilding: async (building) => {
			await buildings.ensure(building);
			await tables.buildings.changed(building.id);
		},
		ensureSensor: async (sensor) => {
			await sensors.register(sensor);
			await tables.sensors.changed(sensor.sensorId);
		},
		progress: () => readings.progress(STREAMS.telemetry),
	};
}
