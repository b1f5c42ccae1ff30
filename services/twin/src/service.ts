/** Composes the service twin: buildings, live state and history. */
import type { Bus, Subscription } from '@crowdvision/bus';
import { type Building, type RetainedSensor, STREAMS, TABLES } from '@crowdvision/contracts';
import {
	BusLinks,
	Lifecycle,
	MetricDirectory,
	onLeading,
	RetainedTable,
	type Service,
	type ServiceContext,
} from '@crowdvision/service-kit';
import { electLeader, type ReadingRetention, type Stores } from '@crowdvision/store';
import { Buildings } from './buildings/buildings.ts';
import { catalogBeforeProbes } from './catalog.ts';
import { lead } from './leader.ts';
import { LEADER_GAUGE, twinMetrics } from './metrics.ts';
import { followAdoptions } from './on-adoption.ts';
import { followDevices } from './on-device.ts';
import { twinRoutes } from './routes.ts';
import { Sensors } from './sensors/sensors.ts';
import { DEFAULT_RETENTION } from './settings.ts';
import { OfflineDevices } from './state/offline-devices.ts';
import { twinStore } from './store.ts';

export interface TwinContext extends ServiceContext {
	bus: Bus;
	stores: Stores;
}

export interface TwinOptions {
	/** Default: by the defaults of TWIN_SETTINGS. */
	retention?: ReadingRetention;
	/**
	 * Whether several processes share the store: all answer requests, and they elect a leader, which stores readings. A
	 * store in files belongs to one process, which leads from the start. Default false.
	 */
	replicas?: boolean;
}

/** The service, with the operations that the embedded composition uses to set up the demo. */
export interface Twin extends Service {
	/** Creates the building unless one with its id exists; that one stays unchanged. */
	ensureBuilding(building: Building & { domains: string[] }): Promise<void>;
	/**
	 * Registers a sensor, or moves it within its building.
	 * @throws CrowdVisionError `conflict` when it is registered in another building of the same tenant
	 */
	ensureSensor(sensor: RetainedSensor): Promise<void>;
	/** The position of the bus up to which readings are stored; undefined before the first one. */
	progress(): Promise<string | undefined>;
}

/**
 * The buildings, the current state of their rooms, and its history.
 *
 *   POST /buildings ─▶ buildings ─┬─▶ bus: registry:buildings ─▶ services that need rooms, limits and owners
 *   POST …/sensors ──▶ sensors ───┴─▶ bus: registry:sensors ───▶ gateways
 *   bus: registry:adoptions ─▶ sensors
 *
 *   bus: telemetry (group twin) ─▶ one transaction: readings, latest of each sensor, stale periods, progress
 *   bus: devices ─▶ offline ───────────────────┐ │        │                   │
 *                  GET …/state { cursor, rooms } ◀──┘        │          maintenance: roll-ups
 *                                                            └─▶ GET …/history ◀─┘
 */
export function createTwin(context: TwinContext, options: TwinOptions = {}): Promise<Twin> {
	const lifecycle = new Lifecycle(context.logger);
	return lifecycle.stopOnFailure(() => openTwin(context, options, lifecycle));
}

async function openTwin(
	{ bus, stores, tokens, metrics, now, logger }: TwinContext,
	{ retention = DEFAULT_RETENTION, replicas = false }: TwinOptions,
	lifecycle: Lifecycle,
): Promise<Twin> {
	const store = lifecycle.own('store', await stores.open('twin', twinStore(retention)));
	const { readings } = store;
	const { stored } = twinMetrics(metrics);
	const sensors = new Sensors(store);
	const offline = new OfflineDevices(store);
	const metricDirectory = new MetricDirectory(logger);
	const { catalog } = metricDirectory;
	const buildings = new Buildings(store, catalog);
	const tables = {
		buildings: new RetainedTable(bus, TABLES.buildings, buildings, logger),
		sensors: new RetainedTable(bus, TABLES.sensors, sensors, logger),
		removed: new RetainedTable(bus, TABLES.removedBuildings, buildings.removals, logger),
	};
	for (const [name, table] of Object.entries(tables)) lifecycle.onStop(`table of ${name}`, () => table.stop());
	await Promise.all([tables.buildings.start(), tables.sensors.start(), tables.removed.start()]);

	const links = lifecycle.own('links to the bus', new BusLinks(logger));
	const open = () => lead({ bus, readings, buildings, offline, catalog, now, logger, stored });
	const elect = async (): Promise<Subscription> =>
		electLeader(store, { name: 'duty', logger }, onLeading({ open, metrics, ...LEADER_GAUGE, logger }));
	await links.open(
		// First: roll-ups of a metric need its definition.
		() => metricDirectory.follow(bus),
		() => followDevices({ bus, offline, now, logger }),
		() => followAdoptions({ bus, sensors, registered: tables.sensors, logger }),
		replicas ? elect : open,
	);

	return {
		name: 'twin',
		router: twinRoutes({ buildings, sensors, readings, offline, tokens, tables, catalog, now }),
		beforeProbes: catalogBeforeProbes(catalog),
		trouble: async () => links.trouble() ?? (await bus.trouble()) ?? store.trouble(),
		stop: () => lifecycle.stop(),
		ensureBuilding: async (building) => {
			await buildings.ensure(building);
			await Promise.all([tables.buildings.changed(building.id), tables.removed.changed(building.id)]);
		},
		ensureSensor: async (sensor) => {
			const { key } = await sensors.register(sensor);
			await tables.sensors.changed(key);
		},
		progress: () => readings.progress(STREAMS.telemetry),
	};
}
