import { mkdirSync } from 'node:fs';
import type { Server } from 'node:http';
import { join } from 'node:path';
import { type Bus, trimStream } from '@crowdvision/bus';
import { STREAM_FIELDS, STREAMS } from '@crowdvision/contracts';
import { type CommitWorker, Log } from '@crowdvision/log';
import type { Logger, Registry as Metrics, Router, Service, Tokens } from '@crowdvision/service-kit';
import { Credentials } from './access/credentials.ts';
import { deviceAnswers } from './api/device-answers.ts';
import { addRoomRoutes } from './api/room-routes.ts';
import { gatewayRoutes } from './api/routes.ts';
import { answerWhy } from './api/why-answer.ts';
import { Bridges } from './bridge/bridges.ts';
import { Clock } from './clock/clock.ts';
import { CLOCK_DEFAULTS } from './clock/clock-config.ts';
import { systemTime, type TimeSource } from './clock/time-source.ts';
import type { GatewayConfig } from './configuration/config.ts';
import { DryRun } from './configuration/dry-run.ts';
import { healthOf } from './configuration/health-of.ts';
import type { Configurable, LiveConfiguration } from './configuration/live-configuration.ts';
import { type FixedOptions, LiveParts } from './configuration/live-parts.ts';
import type { StartedConfiguration } from './configuration/start.ts';
import { doorPath, LocalDoor } from './control/control-socket.ts';
import { Decoders } from './decode/decoders.ts';
import { Admission } from './devices/admission.ts';
import { Adoptions } from './devices/adoptions.ts';
import { Availability } from './devices/availability.ts';
import { Devices } from './devices/devices.ts';
import { Placement } from './devices/placement.ts';
import { Quarantine } from './devices/quarantine.ts';
import { Timeouts } from './devices/timeouts.ts';
import { CommandBook } from './downlink/command-book.ts';
import { Downlink } from './downlink/downlink.ts';
import { Lines } from './downlink/lines.ts';
import { announcing } from './home-assistant/announcing.ts';
import { HomeAssistant } from './home-assistant/home-assistant.ts';
import { Intake } from './intake/intake.ts';
import { Ledger } from './ledger/ledger.ts';
import { RateLimits } from './limits/rate-limits.ts';
import { LogAlarm } from './log/log-alarm.ts';
import { Relay } from './log/relay.ts';
import { registerMetrics } from './metrics.ts';
import { isForeign } from './normalize/identify.ts';
import { openOccupancy } from './occupancy/open-occupancy.ts';
import { Registry } from './registry.ts';
import { Rejected } from './rejected/rejected.ts';
import { clientAddress } from './sources/client-address.ts';
import { HttpSource } from './sources/http.ts';
import { MqttSource } from './sources/mqtt/broker/mqtt-source.ts';
import { MQTT_LIMITS } from './sources/mqtt/connection/limits.ts';
import { SessionStore } from './sources/mqtt/sessions/session-store.ts';
import { Replay } from './sources/replay/replay.ts';
import { registerSerialMetrics } from './sources/serial/serial-metrics.ts';
import { SerialSource } from './sources/serial/serial-source.ts';
import { SocketIoSource } from './sources/socketio.ts';
import { Recorder } from './trace/recorder.ts';
import { recorderOptions } from './trace/recorder-config.ts';
import { Trace } from './trace/trace.ts';
import { Explainer } from './why/explain.ts';
import { connectionsOf } from './why/explainer-parts.ts';

/** The gateway as its compositions see it: `router` without the prefix `/gateway`, `ingest` with its own path. */
export interface Gateway extends Service {
	ingest: Router;
	attach(server: Server): void;
	/** How full the log is and when it will be, and what time it is; for `/readyz`. */
	about(): Record<string, unknown>;
	/** Begins to take messages. Call it after the HTTP server listens. */
	start(): Promise<void>;
	/** Port of MQTT over TCP, once started. */
	mqttPort(): number;
	/** Port of MQTT over TLS, where it is on. */
	mqttsPort(): number | undefined;
	/** Follows gateway.yaml from now on; `adapt` adds to it what the composition has of its own. */
	follow(configuration: StartedConfiguration, adapt?: (config: GatewayConfig) => GatewayConfig): void;
	/** Stops taking messages and lets those under way finish; what they brought is still being delivered until `stop`. */
	stopIntake(): Promise<void>;
}

/** The gateway's own time, of this machine unless another source is given. */
export function openClock(config: GatewayConfig, logger: Logger, source: TimeSource = systemTime()): Clock {
	const dir = join(config.dataDir, 'gateway');
	mkdirSync(dir, { recursive: true, mode: 0o700 });
	return Clock.open(dir, source, config.clock ?? CLOCK_DEFAULTS, logger);
}

/** What another gateway.yaml does not change before the next start. */
const READ_AT_START: FixedOptions = {
	gatewayId: ({ gatewayId }) => gatewayId,
	'sources.mqtt.port': ({ mqttPort }) => mqttPort,
	'sources.mqtt.tls': ({ mqttTls }) => mqttTls,
	'sources.mqtt.sessions': ({ sessions }) => sessions,
	log: ({ log }) => log,
	dedup: ({ dedup }) => dedup,
	clock: ({ clock }) => clock,
	downlink: ({ downlink }) => downlink,
	recorder: ({ recorder }) => recorder,
	'redis.url': ({ redisUrl }) => redisUrl,
};

/**
 * Opens the log that everything else is a cursor on. What `clock` does not know the time of, nobody sees before it
 * does.
 */
export async function openTelemetryLog(
	config: GatewayConfig,
	worker: CommitWorker,
	logger: Logger,
	clock: Clock,
): Promise<Log> {
	const dir = join(config.dataDir, 'gateway', 'log');
	mkdirSync(dir, { recursive: true, mode: 0o700 });
	const log = await Log.open({
		dir,
		worker,
		...config.log,
		thin: new URL('./log/thin-thread.ts', import.meta.url).href,
		dedup: config.dedup,
		heldFrom: clock.heldFrom,
		amend: (record) => clock.amend(record),
		onIncident: (incident) => logger.error({ incident }, 'log: something is damaged or missing'),
	});
	clock.begin(log);
	return log;
}

/**
 *  serial ─┐                                ack when durable
 *  mqtt   ─┤             ┌─────────────────────────────────────────▶ back to the sensor
 *  http   ─┼─▶ intake ───┴─▶ log ─┬─▶ relay ─▶ Redis        (with REDIS_URL)
 *  socket ─┤    │ decode          ├─▶ the services' own cursors (embedded)
 *  bridges ┘    │ normalize       └─▶ bridges ─▶ remote MQTT brokers
 *               └─▶ rejected
 *
 *  commands (bus, HTTP) ─▶ downlink ─▶ lines of devices ─▶ answers ─▶ command-results
 */
export async function createGateway(parts: {
	config: GatewayConfig;
	log: Log;
	/** As the log was opened with. */
	clock: Clock;
	worker: CommitWorker;
	/** Where buildings, sensors and device events are told; without it the gateway is on its own. */
	bus: Bus | undefined;
	tokens: Tokens;
	logger: Logger;
	metrics: Metrics;
}): Promise<Gateway> {
	const { config, log, clock, worker, bus, tokens, logger, metrics } = parts;
	const dir = join(config.dataDir, 'gateway');
	const onIncident = (incident: object) => logger.error({ incident }, 'rejected list: something is damaged');
	// A system clock that was set back must not make a device's token one of the future.
	tokens.clock = { now: () => clock.now(), known: () => clock.quality !== 'unsynced' };
	const ledger = new Ledger(log);
	const quarantine = Quarantine.open(join(dir, 'quarantine'));
	const { gatewayId } = config;
	const placed = { gatewayId, onPlaced: (id: string) => quarantine.release(id), logger };
	const adoptions = Adoptions.open(join(dir, 'adoptions'), placed);
	const registry = Registry.open(join(dir, 'registry'), adoptions);
	const admission = new Admission(config.devices, adoptions);
	if (bus) await Promise.all([registry.follow(bus), adoptions.follow(bus)]);
	const rejected = await Rejected.open(join(dir, 'rejected'), worker, onIncident);
	const rooms = await openOccupancy({
		config: config.occupancy ?? {},
		gatewayId,
		dir,
		log,
		worker,
		ledger,
		clock,
		zoneOf: (buildingId) => registry.building(buildingId)?.timeZone,
		logger,
	});
	const devices = new Devices();
	const timeouts = new Timeouts(config.devices);
	const availability = Availability.open({
		path: join(dir, 'availability'),
		gatewayId,
		timeouts,
		now: () => clock.now(),
		logger,
	});
	const trace = new Trace();
	const recorder = new Recorder(recorderOptions(config.recorder), join(dir, 'recorded.ndjson'));
	const credentials = new Credentials(tokens, registry, ({ id, domainName, reason }) =>
		trace.note({
			at: clock.now(),
			stage: 'received',
			outcome: 'unauthenticated',
			sender: id,
			domainName,
			detail: reason,
		}),
	);
	const intake = new Intake({
		log,
		clock,
		registry,
		occupancy: rooms.occupancy,
		rejected,
		ledger,
		admission,
		quarantine,
		availability,
		recorder,
		trace,
		gatewayId,
	});
	const refuse: Intake['refuse'] = (frame, error) => intake.refuse(frame, error);
	const rateLimits = new RateLimits(config, (transport, sender, detail) => {
		const account = ledger.of(transport);
		account.received += 1;
		account.deferred += 1;
		trace.note({ at: clock.now(), stage: 'received', outcome: 'rate_limited', transport, sender, detail });
	});
	rateLimits.register(metrics);
	const addressOf = clientAddress(config.trustProxy);
	const lines = new Lines((domainName, sensorId) => isForeign(domainName, sensorId, registry));
	const book = CommandBook.open(join(dir, 'commands'));
	const downlink = new Downlink({
		book,
		lines,
		domainOf: (sensorId) => {
			const registered = registry.sensor(sensorId);
			return registered
				? registry.building(registered.buildingId)?.domains[0]
				: (lines.of(sensorId) ?? availability.get(sensorId))?.domainName;
		},
		bus,
		shared: config.redisUrl !== undefined,
		config: config.downlink,
		now: () => clock.now(),
		knowsTime: () => clock.quality !== 'unsynced',
		logger,
	});
	const answered: Downlink['answered'] = (sensorId, answer) => downlink.answered(sensorId, answer);

	const decoders = new Decoders(config.decoders, (message) => mqtt.local.publish(message));
	const replay = new Replay({ rejected, decoders, deliver: (frame) => intake.deliver(frame) });
	const http = new HttpSource({ credentials, devices, decoders, rateLimits, refuse });
	const socketIo = new SocketIoSource({
		credentials,
		devices,
		rateLimits,
		addressOf,
		lines,
		availability,
		registry,
		logger,
	});
	const sessions = await SessionStore.open(join(dir, 'sessions'), {
		worker,
		logger,
		...(config.sessions && { bounds: config.sessions }),
	});
	const mqttLimits = { ...MQTT_LIMITS, ...config.mqttLimits };
	const mqtt = new MqttSource({
		credentials,
		devices,
		registry,
		decoders,
		rateLimits,
		refuse,
		lines,
		availability,
		now: () => clock.now(),
		answered,
		guest: {
			mayHear: (sender, filter) => homeAssistant.mayHear(sender, filter),
			maySay: (sender, topic) => homeAssistant.maySay(sender, topic),
		},
		logger,
		host: config.host,
		port: config.mqttPort,
		sessions,
		tls: config.mqttTls,
		limits: mqttLimits,
		addressOf,
	});
	mqtt.register(metrics);
	const serial = new SerialSource(config.serial, config.serialRoot, { credentials, devices, refuse, lines, logger });
	const homeAssistant = HomeAssistant.open(config.homeAssistant ?? {}, {
		log,
		registry,
		local: mqtt.local,
		gatewayId,
		logger,
		path: join(dir, 'home-assistant'),
	});
	const sources = [serial, mqtt, http, socketIo];

	const relay = config.redisUrl
		? new Relay({
				log,
				url: config.redisUrl,
				gatewayId,
				field: STREAM_FIELDS.telemetry,
				logger,
				trim: (redis) => trimStream(redis, STREAMS.telemetry),
			})
		: undefined;
	const bridges = new Bridges({
		gatewayId,
		dir: join(dir, 'bridge'),
		log,
		worker,
		local: mqtt.local,
		deliver: (frame) => intake.deliver(frame),
		decodeBy: (topic) => decoders.forTopic(topic),
		ledger,
		logger,
	});
	registerMetrics(metrics, { log, clock, ledger, relay, downlink, bridges, trail: rooms.trail });
	registerSerialMetrics(metrics, serial);
	const alarm = new LogAlarm(() => log.stats(), logger);

	const connections = connectionsOf({
		log,
		relay,
		bridges,
		devices,
		troubles: () => [mqtt.trouble(), serial.trouble(), log.stats().trouble],
	});
	const explainer = new Explainer({ log, registry, rejected, recorder, trace, ...connections });
	let configuration: LiveConfiguration | undefined;
	let readOther = (_query: URLSearchParams): GatewayConfig => config;
	const dryRun = new DryRun({ registry, adoptions, clock });
	const placement = new Placement({ availability, quarantine, adoptions, registry, hasBus: bus !== undefined });
	const door = new LocalDoor(doorPath(config.dataDir), {
		'/why': (query) => answerWhy(explainer, query),
		'/dry-run': async (query) => dryRun.compare(recorder.frames(), configuration?.config ?? config, readOther(query)),
		...deviceAnswers({ devices, availability, quarantine, placement }),
	});

	const live = new LiveParts(
		config,
		[
			{
				of: ({ messagesPerSecond, messagesPerSecondPerAddress }) => ({
					messagesPerSecond,
					messagesPerSecondPerAddress,
				}),
				update: (changed) => rateLimits.update(changed),
			},
			{ of: (next) => next.mqttLimits, update: (next) => void Object.assign(mqttLimits, MQTT_LIMITS, next.mqttLimits) },
			{ of: (next) => next.bridges, update: (next) => bridges.update(next.bridges ?? []), readsFiles: true },
			{ of: (next) => next.serial, update: (next) => serial.update(next.serial) },
			{ of: (next) => next.decoders, update: (next) => decoders.update(next.decoders) },
			{ of: (next) => next.devices, update: (next) => admission.update(next.devices) },
			{ of: (next) => next.devices.timeouts, update: (next) => timeouts.update(next.devices) },
			{ of: (next) => next.occupancy, update: (next) => rooms.update(next.occupancy ?? {}) },
			{ of: (next) => next.homeAssistant, update: (next) => homeAssistant.update(next.homeAssistant ?? {}) },
		],
		READ_AT_START,
	);
	const configurable: Configurable = {
		update: (next) => live.update(next),
		health: () =>
			healthOf(ledger, {
				relay: relay?.trouble(),
				mqtt: mqtt.trouble(),
				serial: serial.trouble(),
				log: log.stats().trouble,
				...bridges.troubles(),
			}),
	};

	const router = gatewayRoutes({
		tokens,
		devices,
		availability,
		quarantine,
		placement,
		rejected,
		replay,
		trace,
		explainer,
		ledger,
		downlink,
		lines,
		registry,
		configuration: () => configuration?.status,
		bridges,
	});
	addRoomRoutes(router, { tokens, registry, ...rooms });
	const stopIntake = async () => {
		availability.stop();
		bridges.stopInbound();
		await rooms.zeroing.stop();
		await Promise.all(sources.map((source) => source.stop()));
		await log.durable().catch(() => undefined);
	};
	return {
		name: 'gateway',
		router,
		ingest: http.router,
		attach(server) {
			socketIo.attach(server);
			mqtt.attach(server);
		},
		about() {
			const { bytes, maxBytes, heldBytes, hoursToFull } = log.stats();
			const hours = Number.isFinite(hoursToFull) ? Number(hoursToFull.toFixed(2)) : null;
			return {
				log: { bytes, maxBytes, heldBytes: Math.round(heldBytes), hoursToFull: hours, heldBack: log.heldBack },
				clock: { quality: clock.quality, aheadMs: Math.round(clock.ahead) },
			};
		},
		async start() {
			alarm.start();
			relay?.start();
			await bridges.update(config.bridges ?? []);
			recorder.start();
			await door
				.open()
				.catch((error: Error) =>
					logger.warn(
						{ err: error.message },
						'`why` and other commands cannot ask this gateway: its local door cannot be opened',
					),
				);
			await rooms.zeroing.start();
			for (const source of sources) await source.start((frame, onDurable) => intake.take(frame, onDurable));
			await availability.start(bus, announcing(bus, mqtt.local, logger));
			await downlink.start();
			bridges.begin();
			homeAssistant.start();
		},
		follow(started, adapt = (next) => next) {
			configuration = started.follow(configurable, logger, adapt);
			readOther = (query) => adapt(started.read(query.get('file') ?? ''));
		},
		mqttPort: () => mqtt.port,
		mqttsPort: () => mqtt.tlsPort,
		// A serial port that is not plugged in, or a Redis that is away, is worth a look, but does not keep the gateway
		// from taking readings.
		trouble: async () => mqtt.trouble() ?? log.stats().trouble ?? relay?.trouble(),
		stopIntake,
		async stop() {
			await configuration?.close();
			await homeAssistant.stop();
			alarm.stop();
			await stopIntake();
			await door.close();
			await downlink.stop();
			await recorder.close();
			await bridges.stop();
			await decoders.close();
			await relay?.stop();
			await clock.close();
			await rooms.close();
			await sessions.destroy();
			await rejected.close();
			await availability.close();
			await quarantine.close();
			await adoptions.close();
			await registry.close();
		},
	};
}
