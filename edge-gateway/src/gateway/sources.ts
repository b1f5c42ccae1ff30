/** Opens the four ways in: serial ports, MQTT, HTTP and Socket.IO. */
import type { IncomingMessage, RequestListener, Server } from 'node:http';
import type { Transport } from '@crowdvision/contracts';
import { type Router, Site } from '@crowdvision/service-kit';
import { Credentials } from '../access/credentials.ts';
import { HttpSignIn } from '../access/http-sign-in.ts';
import type { GatewayConfig } from '../configuration/gateway-config.ts';
import { Devices } from '../devices/devices.ts';
import { SenderLimits } from '../limits/sender-limits.ts';
import { SignInThrottle } from '../limits/sign-in-throttle.ts';
import { HttpSource } from '../sources/http/http-source.ts';
import { MqttSource } from '../sources/mqtt/broker/mqtt-source.ts';
import { MQTT_LIMITS } from '../sources/mqtt/connection/limits.ts';
import { registerSerialMetrics } from '../sources/serial/serial-metrics.ts';
import { SerialSource } from '../sources/serial/serial-source.ts';
import { SocketIoSource } from '../sources/socketio.ts';
import type { Trace } from '../trace/trace.ts';
import type { OpenIntake } from './intake.ts';
import type { GatewayParts } from './parts.ts';
import type { Storage } from './storage.ts';
import type { Uplinks } from './uplinks.ts';

/** The four ways in, and what they share. */
export interface Sources {
	serial: SerialSource;
	mqtt: MqttSource;
	/** `POST /ingest`, with its own path. */
	router: Router;
	/** A listener that answers plain requests to `/ingest` itself, and leaves all others to an app with `router`. */
	inFrontOf(app: RequestListener): RequestListener;
	/** Devices that are connected, or were. */
	devices: Devices;
	senderLimits: SenderLimits;
	/** Takes Socket.IO and MQTT over WebSocket on a server that is not listening yet. */
	attach(server: Server): void;
	/** Applies the bounds of `sources.mqtt` in gateway.yaml to clients that are connected, too. */
	updateMqttLimits(limits: GatewayConfig['mqttLimits']): void;
	/** Begins to take messages, one way in after the other. */
	start(): Promise<void>;
	/** Stops all ways in at once, also those that were not started. */
	stop(): Promise<void>;
}

export function openSources(
	parts: GatewayParts,
	{ registry, availability, sessions, ledger }: Storage,
	{ take, refuse, ignore, decoders, local, trace, shapes, frameShapes }: OpenIntake,
	{ channels, downlink, homeAssistant }: Uplinks,
): Sources {
	const { config, clock, tokens, logger, metrics } = parts;
	const credentials = new Credentials(tokens, registry, noteUnauthenticated(parts, trace));
	const throttle = new SignInThrottle();
	const signIn = new HttpSignIn(credentials, throttle);
	const devices = new Devices(() => clock.now());
	const senderLimits = new SenderLimits(config, countRefused(parts, ledger, trace));
	senderLimits.register(metrics);
	const site = new Site({ trustProxy: config.trustProxy });
	const addressOf = (request: IncomingMessage) => site.addressOf(request);
	const limits = { ...MQTT_LIMITS, ...config.mqttLimits };

	const serial = new SerialSource(config.serial, config.serialRoot, {
		credentials,
		devices,
		refuse,
		ignore,
		channels,
		logger,
	});
	registerSerialMetrics(metrics, serial);
	const mqtt = new MqttSource({
		credentials,
		throttle,
		devices,
		registry,
		decoders,
		senderLimits,
		refuse,
		ignore,
		channels,
		availability,
		now: () => clock.now(),
		commands: downlink,
		guest: homeAssistant,
		local,
		logger,
		host: config.host,
		port: config.mqttPort,
		sessions,
		shapes,
		tls: config.mqttTls,
		limits,
		addressOf,
	});
	mqtt.register(metrics);
	const http = new HttpSource({ signIn, devices, decoders, senderLimits, refuse, shapes: frameShapes, site, logger });
	const socketIo = new SocketIoSource({
		signIn,
		devices,
		senderLimits,
		addressOf,
		channels,
		availability,
		registry,
		logger,
	});
	const sources = [serial, mqtt, http, socketIo];

	return {
		serial,
		mqtt,
		router: http.router,
		inFrontOf: (app) => (request, response) => {
			if (!http.takePlain(request, response)) app(request, response);
		},
		devices,
		senderLimits,
		attach(server) {
			socketIo.attach(server);
			mqtt.attach(server);
		},
		updateMqttLimits: (next) => void Object.assign(limits, MQTT_LIMITS, next),
		async start() {
			for (const source of sources) await source.start(take);
		},
		async stop() {
			await Promise.all(sources.map((source) => source.stop()));
		},
	};
}

/** Notes a device that could not sign in. */
function noteUnauthenticated({ clock }: GatewayParts, trace: Trace): ConstructorParameters<typeof Credentials>[2] {
	return ({ id, domainName, reason }) =>
		trace.note({
			at: clock.now(),
			stage: 'received',
			outcome: 'unauthenticated',
			sender: id,
			domainName,
			detail: reason,
		});
}

/** Counts and notes a message whose sender is too fast: it is told to send it again later. */
function countRefused({ clock }: GatewayParts, ledger: Storage['ledger'], trace: Trace) {
	return (transport: Transport, sender: string, detail: string) => {
		const tally = ledger.of(transport);
		tally.received += 1;
		tally.deferred += 1;
		trace.note({ at: clock.now(), stage: 'received', outcome: 'rate_limited', transport, sender, detail });
	};
}
