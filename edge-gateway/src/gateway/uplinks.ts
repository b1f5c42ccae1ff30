/** Opens what connects the gateway with the outside: relay, bridges, commands to devices, Home Assistant. */
import { join } from 'node:path';
import { trimStream } from '@crowdvision/bus';
import { STREAM_FIELDS, STREAMS } from '@crowdvision/contracts';
import type { Lifecycle } from '@crowdvision/service-kit';
import { Bridges } from '../bridge/bridges.ts';
import { CommandChannels } from '../downlink/command-channels.ts';
import type { DomainOf } from '../downlink/command-quotas.ts';
import { Downlink } from '../downlink/downlink.ts';
import { deliverTo } from '../frame.ts';
import { announceAvailability, removeFormerStates } from '../home-assistant/announce-availability.ts';
import { HomeAssistant } from '../home-assistant/home-assistant.ts';
import { Relay } from '../log/relay.ts';
import { isForeign } from '../normalize/identify.ts';
import { TenantTopics } from '../topics/tenant-topics.ts';
import type { OpenIntake } from './intake.ts';
import type { GatewayParts } from './parts.ts';
import { gatewayFolder, type Storage } from './storage.ts';

/** Everything that connects the gateway with the outside: readings go out, commands come in. */
export interface Uplinks {
	/** Undefined without Redis: the services then read the log themselves. */
	relay: Relay | undefined;
	bridges: Bridges;
	downlink: Downlink;
	/** On which connections the sensors' devices receive commands. */
	channels: CommandChannels;
	homeAssistant: HomeAssistant;
	/** Begins to queue and to relay. Must be over before a source starts, so that no message finds a bridge missing. */
	queue(): Promise<void>;
	/** Begins to connect, to announce devices and to take commands. Call it when the sources have started. */
	connect(): Promise<void>;
}

export function openUplinks(parts: GatewayParts, storage: Storage, intake: OpenIntake, lifecycle: Lifecycle): Uplinks {
	const { config, log, worker, bus, logger } = parts;
	const { gatewayId } = config;
	const { registry, availability, metrics, ledger } = storage;
	const { local, decoders, take } = intake;
	const dir = gatewayFolder(config);

	const relay = openRelay(parts, lifecycle);
	const bridges = new Bridges({
		gatewayId,
		dir: join(dir, 'bridge'),
		log,
		worker,
		local,
		deliver: deliverTo(take),
		decodeBy: (topic) => decoders.forTopic(topic),
		ledger,
		logger,
	});
	lifecycle.onStop('bridges', () => bridges.stop());
	const channels = new CommandChannels(
		(domainName, sensorId) => isForeign(domainName, sensorId, registry),
		() => registry.home,
	);
	const downlink = openDownlink(parts, storage, channels, lifecycle);
	const path = join(dir, 'home-assistant');
	const homeAssistant = HomeAssistant.open(config.homeAssistant, {
		log,
		registry,
		local,
		catalog: metrics.catalog,
		gatewayId,
		logger,
		now: () => parts.clock.now(),
		path,
	});
	lifecycle.onStop('Home Assistant', () => homeAssistant.stop());

	return {
		relay,
		bridges,
		downlink,
		channels,
		homeAssistant,
		async queue() {
			relay?.start();
			await bridges.update(config.bridges);
		},
		async connect() {
			const topics = new TenantTopics(registry);
			const known = availability
				.list(() => true)
				.map(({ sensorId, domainName, buildingId = '' }) => ({
					sensorId,
					domainName: domainName ?? registry.building(buildingId)?.domains[0],
				}));
			await removeFormerStates(known, topics, local, (topic) => storage.sessions.isRetained(topic));
			await availability.start(bus, announceAvailability(bus, local, topics, logger));
			await downlink.start();
			bridges.begin();
			homeAssistant.start();
		},
	};
}

function openRelay({ config, log, logger }: GatewayParts, lifecycle: Lifecycle): Relay | undefined {
	if (config.redisUrl === undefined) return undefined;
	const relay = new Relay({
		log,
		url: config.redisUrl,
		gatewayId: config.gatewayId,
		field: STREAM_FIELDS.telemetry,
		logger,
		trim: (redis) => trimStream(redis, STREAMS.telemetry),
	});
	return lifecycle.own('relay', relay, (part) => part.stop());
}

function openDownlink(
	{ config, clock, bus, logger }: GatewayParts,
	{ registry, availability, commands }: Storage,
	channels: CommandChannels,
	lifecycle: Lifecycle,
): Downlink {
	const domainOf: DomainOf = ({ sensorId, domainName }) => {
		if (domainName !== undefined) return domainName;
		const registered = registry.sensor(sensorId);
		if (registered) return registry.building(registered.buildingId)?.domains[0];
		return (channels.of(sensorId) ?? availability.of(sensorId)[0])?.domainName;
	};
	const downlink = new Downlink({
		store: commands,
		channels,
		domainOf,
		bus,
		shared: config.redisUrl !== undefined,
		config: config.downlink,
		now: () => clock.now(),
		knowsTime: () => clock.quality !== 'unsynced',
		logger,
	});
	return lifecycle.own('downlink', downlink, (part) => part.stop());
}
