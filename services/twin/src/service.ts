import { join } from 'node:path';
import type { Bus } from '@crowdvision/bus';
import { type Building, TABLES } from '@crowdvision/contracts';
import { BusLinks, Counter, RetainedTable, type Service, type ServiceContext } from '@crowdvision/service-kit';
import type { Sqlite, Stores } from '@crowdvision/store';
import { Buildings } from './buildings.ts';
import { catalogBeforeProbes } from './catalog.ts';
import { TelemetryConsumer } from './on-telemetry.ts';
import { Readings } from './readings.ts';
import { twinRoutes } from './routes.ts';
import { MIGRATIONS } from './schema.ts';
import { Sensors } from './sensors.ts';

export interface TwinContext extends ServiceContext {
	bus: Bus;
	store: Sqlite;
	stores: Stores;
}

/** The service, and what the embedded composition needs of it to set up the demo. */
export interface Twin extends Service {
	/** Makes sure that there is a building with this id; one that exists stays as it is. */
	ensureBuilding(building: Building & { domains: string[] }): Promise<void>;
	/** Registers a sensor where it is not; throws `conflict` when it stands in another building. */
	ensureSensor(sensor: { sensorId: string; buildingId: string; roomId: string }): Promise<void>;
}

/** One process has the database to itself, so one name does: after a restart it takes up first what it held. */
const MEMBER = 'twin-1';

/**
 * What the buildings look like, and how things stand in them, now and over time.
 *
 *   POST /buildings ─▶ buildings ─┬─▶ bus: registry:buildings ─▶ everybody who must know rooms, limits and owners
 *   POST …/sensors ──▶ sensors ───┴─▶ bus: registry:sensors ───▶ gateways
 *
 *   bus: telemetry (group twin) ─▶ one transaction { readings, latest of each sensor, progress } ─▶ acknowledged
 *                                         │                └──────────▶ GET …/state { cursor, rooms }
 *                                         └─▶ GET …/history
 */
export async function createTwin({ bus, store, tokens, metrics, logger, dataDir }: TwinContext): Promise<Twin> {
	const database = await store.open(join(dataDir, 'twin.sqlite'), MIGRATIONS);
	const buildings = new Buildings(database);
	const sensors = new Sensors(database);
	const readings = new Readings(database);
	const told = {
		buildings: new RetainedTable(bus, TABLES.buildings, buildings, logger),
		sensors: new RetainedTable(bus, TABLES.sensors, sensors, logger),
	};
	const taken = new Counter({
		name: 'twin_readings_taken_total',
		help: 'Readings taken in from the stream, repetitions included',
		registers: [metrics],
	});
	const consumer = new TelemetryConsumer({ bus, readings, logger, member: MEMBER, taken });
	const links = new BusLinks(logger);
	await Promise.all([told.buildings.start(), told.sensors.start()]);
	await links.open(() => consumer.follow());

	return {
		name: 'twin',
		router: twinRoutes({ database, buildings, sensors, readings, tokens, told }),
		beforeProbes: catalogBeforeProbes(),
		trouble: async () => links.trouble() ?? bus.trouble(),
		stop: async () => {
			await links.close();
			await Promise.all([told.buildings.stop(), told.sensors.stop()]);
			await database.close();
		},
		ensureBuilding: async (building) => {
			await buildings.ensure(building);
			await told.buildings.changed(building.id);
		},
		ensureSensor: async (sensor) => {
			await sensors.register(sensor);
			await told.sensors.changed(sensor.sensorId);
		},
	};
}
