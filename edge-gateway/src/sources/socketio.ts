import type { Server as HttpServer, IncomingMessage } from 'node:http';
import { CrowdVisionError, type GatewayToSensor, type Outcome, type SensorToGateway } from '@crowdvision/contracts';
import type { Logger } from '@crowdvision/service-kit';
import { type DefaultEventsMap, Server, type Socket } from 'socket.io';
import type { Credentials } from '../access/credentials.ts';
import type { Availability } from '../devices/availability.ts';
import type { Devices } from '../devices/devices.ts';
import { sensorsIn } from '../downlink/device-line.ts';
import type { Line, Lines } from '../downlink/lines.ts';
import { socketIoLine } from '../downlink/socketio-line.ts';
import { type Deliver, deliverTo, type Take } from '../frame.ts';
import type { RateLimits } from '../limits/rate-limits.ts';
import { isForeign, type Sender } from '../normalize/identify.ts';
import type { Registry } from '../registry.ts';
import type { Source } from './source.ts';

type Sensors = Server<SensorToGateway, GatewayToSensor, DefaultEventsMap, { sender: Sender }>;
type Sensor = Socket<SensorToGateway, GatewayToSensor, DefaultEventsMap, { sender: Sender }>;

const MAX_MESSAGE = 1024 * 1024;

/** Sensors over Socket.IO at `/ingest/socket.io`: its own path, so that a proxy can tell sensors from dashboards. */
export class SocketIoSource implements Source {
	readonly #credentials: Credentials;
	readonly #devices: Devices;
	readonly #rateLimits: RateLimits;
	readonly #addressOf: (request: IncomingMessage) => string;
	readonly #lines: Lines;
	readonly #availability: Availability;
	readonly #registry: Registry;
	readonly #logger: Logger;
	#io: Sensors | undefined;
	#deliver: Deliver | undefined;

	constructor(parts: {
		credentials: Credentials;
		devices: Devices;
		rateLimits: RateLimits;
		addressOf: (request: IncomingMessage) => string;
		lines: Lines;
		availability: Availability;
		registry: Registry;
		logger: Logger;
	}) {
		this.#credentials = parts.credentials;
		this.#devices = parts.devices;
		this.#rateLimits = parts.rateLimits;
		this.#addressOf = parts.addressOf;
		this.#lines = parts.lines;
		this.#availability = parts.availability;
		this.#registry = parts.registry;
		this.#logger = parts.logger;
	}

	/** Takes its path on a server that others share. Call it before the server listens. */
	attach(server: HttpServer): void {
		// destroyUpgrade closes what nobody has answered within a second; other paths of this server answer at once.
		const io: Sensors = new Server(server, {
			path: '/ingest/socket.io',
			serveClient: false,
			maxHttpBufferSize: MAX_MESSAGE,
			destroyUpgrade: true,
		});
		io.use((socket, next) => {
			const token = (socket.handshake.auth as { token?: unknown }).token;
			this.#credentials.sender(typeof token === 'string' ? token : undefined).then(
				(sender) => {
					socket.data.sender = sender;
					// The server listens before the sources take anything. Of a burst, the first readings would be sent back and
					// the last taken: out of order.
					next(
						this.#deliver
							? undefined
							: refused(new CrowdVisionError('unavailable', 'The gateway is starting or stopping', {}, 1)),
					);
				},
				(error: CrowdVisionError) => next(refused(error)),
			);
		});
		io.on('connection', (socket) => this.#serve(socket));
		this.#io = io;
	}

	async start(take: Take): Promise<void> {
		this.#deliver = deliverTo(take);
	}

	async stop(): Promise<void> {
		this.#deliver = undefined;
		const io = this.#io;
		this.#io = undefined;
		// Not io.close(): that would close the HTTP server too, which is not ours.
		io?.disconnectSockets(true);
		io?.engine.close();
	}

	#serve(socket: Sensor): void {
		const { sender } = socket.data;
		const address = this.#addressOf(socket.request);
		this.#devices.connected(sender.id, sender.domainName, 'socket.io');
		const line = socketIoLine(socket, sender);
		for (const sensorId of sender.sensorIds ?? [sender.id]) this.#lines.add(sensorId, line);
		for (const sensorId of sender.sensorIds ?? []) this.#said(sender, sensorId, 'online');
		socket.on('disconnect', () => {
			this.#lines.remove(line);
			this.#devices.disconnected(sender.id, 'socket.io');
			// It may be back on another line already.
			for (const sensorId of sender.sensorIds ?? [])
				if (!this.#lines.of(sensorId)) this.#said(sender, sensorId, 'offline');
		});
		socket.on('reading', (readings, done) => {
			const answer = typeof done === 'function' ? done : () => undefined;
			this.#take(sender, address, readings, line).then(answer, (error) => {
				this.#logger.error({ err: error }, 'socket.io: a message failed');
				answer({ ok: false, error: { code: 'internal', message: 'Something went wrong here' } });
			});
		});
	}

	#said(sender: Sender, sensorId: string, state: 'online' | 'offline'): void {
		if (!isForeign(sender.domainName, sensorId, this.#registry))
			this.#availability.said(sensorId, state, sender.domainName);
	}

	async #take(sender: Sender, address: string, readings: unknown, line: Line): Promise<Outcome<{ accepted: number }>> {
		try {
			if (!this.#deliver) throw new CrowdVisionError('unavailable', 'The gateway is stopping', {}, 5);
			this.#rateLimits.take('socket.io', sender.id, address);
			const accepted = await this.#deliver({
				transport: 'socket.io',
				source: 'reading',
				sender,
				context: {},
				// Spelled again only for the rejected list.
				get raw() {
					return asSent(readings);
				},
				parsed: readings ?? null,
			});
			this.#devices.heard(sender.id, sender.domainName, 'socket.io', accepted);
			for (const sensorId of sensorsIn(readings)) this.#lines.add(sensorId, line);
			return { ok: true, accepted };
		} catch (error) {
			if (error instanceof CrowdVisionError) return { ok: false, ...error.toBody() };
			throw error;
		}
	}
}

/** What Socket.IO hands on to the client as `connect_error`. */
const refused = (error: CrowdVisionError) => Object.assign(new Error(error.message), { data: error.toBody() });

function asSent(readings: unknown): Buffer {
	try {
		return Buffer.from(JSON.stringify(readings) ?? '');
	} catch {
		return Buffer.from('(nested too deep to be shown)');
	}
}
