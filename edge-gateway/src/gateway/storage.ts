/** Opens everything that the gateway keeps on disk, the telemetry log and the clock first. */
import { join } from 'node:path';
import { tenantOf } from '@crowdvision/contracts';
import { type CommitWorker, Log } from '@crowdvision/log';
import { type Lifecycle, type Logger, makeFolder } from '@crowdvision/service-kit';
import { GatewayMetrics } from '../catalog/gateway-metrics.ts';
import { Clock } from '../clock/clock.ts';
import { systemTime, type TimeSource } from '../clock/time-source.ts';
import type { GatewayConfig } from '../configuration/gateway-config.ts';
import { Adoptions, type AdoptionsParts } from '../devices/adoptions.ts';
import { Availability } from '../devices/availability.ts';
import { Cadences } from '../devices/cadences.ts';
import { Quarantine } from '../devices/quarantine.ts';
import { SensorNames } from '../devices/sensor-names.ts';
import { Timeouts } from '../devices/timeouts.ts';
import { CommandStore } from '../downlink/command-store.ts';
import { Ledger } from '../ledger/ledger.ts';
import { sensorOfSeries } from '../normalize/identify.ts';
import { type OpenOccupancy, openOccupancy } from '../occupancy/open-occupancy.ts';
import { Registry } from '../registry.ts';
import { Rejected } from '../rejected/rejected.ts';
import { SessionStore } from '../sources/mqtt/sessions/session-store.ts';
import type { GatewayParts } from './parts.ts';

/** The gateway's folder below DATA_DIR. */
export function gatewayFolder({ dataDir }: Pick<GatewayConfig, 'dataDir'>): string {
	return join(dataDir, 'gateway');
}

/**
 * Opens the log that everything else is a cursor on, and the gateway's clock. Readings that were received while the
 * time was not known are held back in the log until the clock can correct them.
 * @param parts.time default: this machine
 */
export async function openTelemetryLog(parts: {
	config: GatewayConfig;
	worker: CommitWorker;
	logger: Logger;
	lifecycle: Lifecycle;
	time?: TimeSource | undefined;
}): Promise<{ log: Log; clock: Clock }> {
	const { config, worker, logger, lifecycle, time = systemTime() } = parts;
	const dir = gatewayFolder(config);
	makeFolder(dir);
	const clock = Clock.open(dir, time, config.clock, logger);
	const opened = await Log.open({
		dir: join(dir, 'log'),
		worker,
		...config.log,
		thin: new URL('../log/thin-thread.ts', import.meta.url).href,
		dedup: config.dedup,
		heldFrom: clock.heldFrom,
		amend: (record) => clock.amend(record),
		mayAmend: (offset) => clock.mayAmend(offset),
		onIncident: (incident) => logger.error({ incident }, 'log: records are damaged or missing'),
	});
	const log = lifecycle.own('log', opened, (part) => part.close());
	lifecycle.onStop('clock', () => clock.close());
	clock.attach(log);
	return { log, clock };
}

/** Everything else the gateway keeps on disk. */
export interface Storage {
	/** Which sensors exist, and where they stand. */
	registry: Registry;
	adoptions: Adoptions;
	quarantine: Quarantine;
	availability: Availability;
	names: SensorNames;
	/** How often each sensor speaks. */
	cadences: Cadences;
	timeouts: Timeouts;
	rejected: Rejected;
	rooms: OpenOccupancy;
	sessions: SessionStore;
	commands: CommandStore;
	/** The metrics that sensors may measure. */
	metrics: GatewayMetrics;
	/** Kept in memory; it checks its counts against the log's. */
	ledger: Ledger;
}

/** Reads what the folder holds, and follows the bus for buildings, sensors and adoptions. */
export async function openStorage(parts: GatewayParts, lifecycle: Lifecycle): Promise<Storage> {
	const { config, log, clock, worker, bus, logger } = parts;
	const { gatewayId } = config;
	const dir = gatewayFolder(config);
	const now = () => clock.now();
	const ledger = new Ledger(log);

	const quarantine = lifecycle.own('quarantine', Quarantine.open(join(dir, 'quarantine')), (part) => part.close());
	const tenancy: AdoptionsParts['tenancy'] = {
		isOfTenant: (buildingId, tenant) => registry.isOfTenant(buildingId, tenant),
		haveTenantInCommon: (buildingId, otherId) => registry.haveTenantInCommon(buildingId, otherId),
	};
	const onPlaced = (sensorId: string, buildingId: string) =>
		quarantine.release(sensorId, (domain) => domain === undefined || tenancy.isOfTenant(buildingId, tenantOf(domain)));
	const placed = { gatewayId, onPlaced, tenancy, logger };
	const adoptions = lifecycle.own('adoptions', Adoptions.open(join(dir, 'adoptions'), placed), (part) => part.close());
	const registry: Registry = lifecycle.own('registry', Registry.open(join(dir, 'registry'), adoptions), (part) =>
		part.close(),
	);
	const metrics = lifecycle.own('metrics', new GatewayMetrics(config.metrics, { gatewayId, now, logger }), (part) =>
		part.close(),
	);
	const locate = () => adoptions.locate((sensorId) => registry.sensors(sensorId));
	locate();
	if (bus) await Promise.all([registry.follow(bus), adoptions.follow(bus), metrics.follow(bus)]);
	locate();

	const onIncident = (incident: object) => logger.error({ incident }, 'rejected list: entries are damaged');
	const rejected = await Rejected.open(join(dir, 'rejected'), worker, onIncident);
	lifecycle.onStop('rejected list', () => rejected.close());
	const cadences = new Cadences({
		path: join(dir, 'cadences'),
		declared: (seriesId) => {
			const { sensorId, tenant } = sensorOfSeries(seriesId, registry.home);
			return registry.sensor(sensorId, { domainName: tenant })?.cadenceSeconds;
		},
		logger,
	});
	lifecycle.onStop('cadences', () => cadences.close());
	const rooms = await openOccupancy({
		config: config.occupancy,
		gatewayId,
		dir,
		log,
		worker,
		ledger,
		clock,
		zoneOf: (buildingId) => registry.building(buildingId)?.timeZone,
		freshFor: ({ buildingId, roomId }) => cadences.ofRoom(buildingId, roomId, 'peopleCount'),
		isOver: (buildingId, roomId) => registry.isOver(buildingId, roomId),
		logger,
	});
	lifecycle.onStop('rooms', () => rooms.close());
	const sessions = await SessionStore.open(join(dir, 'sessions'), { worker, logger, bounds: config.sessions });
	lifecycle.onStop('MQTT sessions', () => sessions.destroy());
	const timeouts = new Timeouts(config.devices);
	const availability = Availability.open({
		path: join(dir, 'availability'),
		domainsOf: (buildingId) => registry.building(buildingId)?.domains ?? [],
		gatewayId,
		timeouts,
		now,
		logger,
	});
	cadences.follow((seriesId) =>
		availability.setCadence(sensorOfSeries(seriesId, registry.home), cadences.of(seriesId)),
	);
	lifecycle.onStop('availability', () => availability.close());
	const names = SensorNames.open({ path: join(dir, 'names'), registry, availability, logger });
	lifecycle.onStop('names of sensors', () => names.close());
	const commands = CommandStore.open(join(dir, 'commands'));

	return {
		registry,
		adoptions,
		quarantine,
		availability,
		names,
		cadences,
		timeouts,
		rejected,
		rooms,
		sessions,
		commands,
		metrics,
		ledger,
	};
}
