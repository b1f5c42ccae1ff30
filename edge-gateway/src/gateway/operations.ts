/** Opens what people and monitoring use: HTTP API, control socket, metrics, and changes of gateway.yaml. */
import { ControlSocket, type Lifecycle, type Router } from '@crowdvision/service-kit';
import { controlDeviceAnswers } from '../api/control-device-answers.ts';
import { controlWhyAnswer } from '../api/control-why-answer.ts';
import { addRoomRoutes } from '../api/room-routes.ts';
import { gatewayRoutes } from '../api/routes.ts';
import { DryRun } from '../configuration/dry-run.ts';
import { healthOf } from '../configuration/health-of.ts';
import type { Configurable } from '../configuration/live-configuration.ts';
import { controlSocketPath } from '../control/control-path.ts';
import { Placement } from '../devices/placement.ts';
import { LogAlarm } from '../log/log-alarm.ts';
import { registerMetrics } from '../metrics.ts';
import { connectionsOf } from '../why/connections.ts';
import { Explainer } from '../why/explainer.ts';
import { FollowedConfiguration } from './followed-configuration.ts';
import type { OpenIntake } from './intake.ts';
import { livePartsOf } from './live-parts.ts';
import type { GatewayParts } from './parts.ts';
import type { Sources } from './sources.ts';
import type { Storage } from './storage.ts';
import type { Uplinks } from './uplinks.ts';

/** How people and monitoring look into the gateway, and how its configuration is changed. */
export interface Operations {
	/** The HTTP API, without the prefix `/gateway`. */
	router: Router;
	configuration: FollowedConfiguration;
	/** What changes of gateway.yaml are applied to. */
	configurable: Configurable;
	/** For `/readyz`: undefined when the gateway works, else why not. */
	trouble(): string | undefined;
	/** For `/readyz`: how full the log is and when it will be, and what time it is. */
	about(): Record<string, unknown>;
	/** Opens the control socket and begins to watch the log. A control socket that cannot be opened is only logged. */
	start(): Promise<void>;
}

export function openOperations(
	parts: GatewayParts,
	storage: Storage,
	intake: OpenIntake,
	uplinks: Uplinks,
	sources: Sources,
	lifecycle: Lifecycle,
): Operations {
	const { config, log, clock, bus, tokens, logger, metrics } = parts;
	const { registry, adoptions, quarantine, availability, names, rejected, rooms, metrics: catalog, ledger } = storage;
	const { recorder, trace, replay, codecWarnings, shapes } = intake;
	const { relay, bridges, downlink, channels } = uplinks;
	const { devices } = sources;

	const measured = { log, clock, ledger, relay, downlink, bridges, catalog };
	registerMetrics(metrics, { ...measured, trail: rooms.trail, codecWarnings, shapes });
	const troubles = troublesOf(parts, uplinks, sources);
	const alarm = lifecycle.own('log alarm', new LogAlarm(() => log.stats(), logger), (part) => part.stop());
	const connections = connectionsOf({
		log,
		relay,
		bridges,
		devices,
		troubles: () => [troubles.mqtt(), troubles.serial(), troubles.log(), ...catalog.troubles()],
	});
	const proposals = (buildingId: string, roomId: string) => rooms.occupancy.proposals(buildingId, roomId);
	const notesOf = notesIn(intake);
	const explainer = new Explainer({ log, registry, rejected, recorder, trace, proposals, notesOf, ...connections });
	const now = () => clock.now();
	const placement = new Placement({ availability, quarantine, adoptions, registry, hasBus: bus !== undefined, now });
	const configuration = new FollowedConfiguration(config);
	const dryRun = new DryRun({ registry, adoptions, clock });
	const controlSocket = new ControlSocket(controlSocketPath(config.dataDir), {
		'/why': (query) => controlWhyAnswer(explainer, query),
		'/dry-run': async (query) =>
			dryRun.compare(recorder.frames(), configuration.config, configuration.read(query.get('file') ?? '')),
		...controlDeviceAnswers({ devices, availability, quarantine, placement, names }),
	});
	lifecycle.onStop('control socket', () => controlSocket.close());
	const router = gatewayRoutes({
		tokens,
		devices,
		availability,
		quarantine,
		names,
		placement,
		now,
		rejected,
		replay,
		trace,
		explainer,
		ledger,
		downlink,
		channels,
		registry,
		configuration: () => configuration.status,
		bridges,
	});
	addRoomRoutes(router, { tokens, registry, ...rooms });
	const live = livePartsOf(parts, storage, intake, uplinks, sources);

	return {
		router,
		configuration,
		configurable: {
			async update(next) {
				const needsRestart = await live.update(next);
				ledger.regressions.configured();
				return needsRestart;
			},
			health: () =>
				healthOf(ledger, {
					relay: troubles.relay(),
					mqtt: troubles.mqtt(),
					serial: troubles.serial(),
					log: troubles.log(),
					...bridges.troubles(),
				}),
		},
		// A serial port that is not plugged in, or a bridge that is away, is worth a look, but does not keep the gateway
		// from taking readings.
		trouble: () => troubles.mqtt() ?? troubles.log() ?? troubles.relay(),
		about: () => aboutOf(parts),
		async start() {
			alarm.start();
			recorder.start();
			await controlSocket.open().catch((error: Error) => {
				const consequence = 'the commands why, devices, adopt and dry-run cannot reach this gateway';
				logger.warn({ err: error.message }, `the control socket cannot be opened: ${consequence}`);
			});
		},
	};
}

/** What messages of a sensor held beside readings. */
function notesIn({ codecWarnings, unknownFields }: OpenIntake) {
	return (sensorId: string, domains: readonly string[]) =>
		[codecWarnings, unknownFields].flatMap((notes) => notes.ofSensor(sensorId, domains) ?? []);
}

/** What is wrong with a part now, in words for a person; undefined when nothing is. */
function troublesOf({ log }: GatewayParts, { relay }: Uplinks, { mqtt, serial }: Sources) {
	return {
		relay: () => relay?.trouble(),
		mqtt: () => mqtt.trouble(),
		serial: () => serial.trouble(),
		log: () => log.stats().trouble,
	};
}

function aboutOf({ log, clock }: GatewayParts): Record<string, unknown> {
	const { bytes, maxBytes, heldBytes, hoursToFull } = log.stats();
	const hours = Number.isFinite(hoursToFull) ? Number(hoursToFull.toFixed(2)) : null;
	return {
		log: { bytes, maxBytes, heldBytes: Math.round(heldBytes), hoursToFull: hours, heldBack: log.heldBack },
		clock: { quality: clock.quality, aheadMs: Math.round(clock.ahead) },
	};
}
