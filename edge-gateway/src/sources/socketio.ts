/** The Socket.IO source: takes readings that devices emit. */
import type { Server as HttpServer, IncomingMessage } from 'node:http';
import {
	CrowdVisionError,
	type GatewayToSensor,
	type Outcome,
	type RejectedPart,
	type SensorToGateway,
} from '@crowdvision/contracts';
import type { Logger } from '@crowdvision/service-kit';
import { type DefaultEventsMap, Server, type Socket } from 'socket.io';
import type { HttpSignIn } from '../access/http-sign-in.ts';
import { parseJson } from '../decode/message/json.ts';
import type { Availability } from '../devices/availability.ts';
import type { Devices } from '../devices/devices.ts';
import type { CommandChannel, CommandChannels } from '../downlink/command-channels.ts';
import { sensorsIn } from '../downlink/device-messages.ts';
import { socketIoChannel } from '../downlink/socketio-channel.ts';
import { type Deliver, deliverTo, type Frame, type Take } from '../frame.ts';
import type { SenderLimits } from '../limits/sender-limits.ts';
import { isForeign, type Sender } from '../normalize/identify.ts';
import type { Registry } from '../registry.ts';
import type { Source } from './source.ts';

type Sensors = Server<SensorToGateway, GatewayToSensor, DefaultEventsMap, { sender: Sender }>;
type Sensor = Socket<SensorToGateway, GatewayToSensor, DefaultEventsMap, { sender: Sender }>;

const MAX_MESSAGE_BYTES = 1024 * 1024;

/**
 * Readings over Socket.IO at `/ingest/socket.io`, as events `reading` whose acknowledgement says what became of them.
 * The path differs from that of dashboards so that a proxy can tell sensors apart.
 */
export class SocketIoSource implements Source {
	readonly #signIn: HttpSignIn;
	readonly #devices: Devices;
	readonly #senderLimits: SenderLimits;
	readonly #addressOf: (request: IncomingMessage) => string;
	readonly #channels: CommandChannels;
	readonly #availability: Availability;
	readonly #registry: Registry;
	readonly #logger: Logger;
	#io: Sensors | undefined;
	#deliver: Deliver | undefined;

	constructor(parts: {
		signIn: HttpSignIn;
		devices: Devices;
		senderLimits: SenderLimits;
		addressOf: (request: IncomingMessage) => string;
		channels: CommandChannels;
		availability: Availability;
		registry: Registry;
		logger: Logger;
	}) {
		this.#signIn = parts.signIn;
		this.#devices = parts.devices;
		this.#senderLimits = parts.senderLimits;
		this.#addressOf = parts.addressOf;
		this.#channels = parts.channels;
		this.#availability = parts.availability;
		this.#registry = parts.registry;
		this.#logger = parts.logger;
	}

	/** Serves the path on an HTTP server that other parts share. Call it before the server listens. */
	attach(server: HttpServer): void {
		// destroyUpgrade closes upgrades that nothing has answered within a second; other paths of this server answer at
		// once.
		const io: Sensors = new Server(server, {
			path: '/ingest/socket.io',
			serveClient: false,
			maxHttpBufferSize: MAX_MESSAGE_BYTES,
			destroyUpgrade: true,
		});
		io.use((socket, next) => {
			const token = (socket.handshake.auth as { token?: unknown }).token;
			// A client that can set no `auth` may sign in by a header of the handshake, as with any other request.
			const address = this.#addressOf(socket.request);
			this.#signIn.sender(socket.handshake, address, typeof token === 'string' ? token : undefined).then(
				(sender) => {
					socket.data.sender = sender;
					// The HTTP server listens before the source takes readings. Of a burst at that moment the first readings
					// would be refused and the last ones taken, out of order.
					next(
						this.#deliver
							? undefined
							: connectError(new CrowdVisionError('unavailable', 'The gateway is starting or stopping', {}, 1)),
					);
				},
				(error: CrowdVisionError) => next(connectError(error)),
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
		// io.close() would also close the HTTP server, which other parts share.
		io?.disconnectSockets(true);
		io?.engine.close();
	}

	#serve(socket: Sensor): void {
		const { sender } = socket.data;
		const address = this.#addressOf(socket.request);
		this.#devices.connected(sender.id, sender.domainName, 'socket.io');
		const channel = socketIoChannel(socket, sender);
		for (const sensorId of sender.sensorIds ?? [sender.id]) this.#channels.add(sensorId, channel);
		for (const sensorId of sender.sensorIds ?? []) this.#reportState(sender, sensorId, 'online');
		socket.on('disconnect', () => {
			this.#channels.remove(channel);
			this.#devices.disconnected(sender.id, 'socket.io');
			// The device may have connected again already.
			for (const sensorId of sender.sensorIds ?? [])
				if (!this.#channels.of(sensorId, sender.domainName)) this.#reportState(sender, sensorId, 'offline');
		});
		socket.on('reading', (readings, done) => {
			const answer = typeof done === 'function' ? done : () => undefined;
			this.#take(sender, address, readings, channel).then(answer, (error) => {
				this.#logger.error({ err: error }, 'socket.io: handling a message failed');
				answer({ ok: false, error: { code: 'internal', message: 'Internal error; the gateway has logged it' } });
			});
		});
	}

	#reportState(sender: Sender, sensorId: string, state: 'online' | 'offline'): void {
		if (!isForeign(sender.domainName, sensorId, this.#registry))
			this.#availability.reported(sensorId, state, sender.domainName);
	}

	async #take(
		sender: Sender,
		address: string,
		readings: unknown,
		channel: CommandChannel,
	): Promise<Outcome<{ accepted: number; rejected?: readonly RejectedPart[] }>> {
		try {
			if (!this.#deliver) throw new CrowdVisionError('unavailable', 'The gateway is stopping', {}, 5);
			this.#senderLimits.take('socket.io', sender.id, address);
			const frame: Frame = {
				transport: 'socket.io',
				source: 'reading',
				sender,
				context: {},
				// Socket.IO has parsed the message already; the bytes are needed for the rejected list only.
				get raw() {
					return encoded(readings);
				},
				parsed: parsedText(readings),
			};
			const accepted = await this.#deliver(frame);
			const { rejected } = frame;
			this.#devices.received(sender.id, sender.domainName, 'socket.io', accepted);
			for (const sensorId of sensorsIn(readings)) this.#channels.add(sensorId, channel);
			return { ok: true, accepted, ...(rejected && { rejected }) };
		} catch (error) {
			if (error instanceof CrowdVisionError) return { ok: false, ...error.toBody() };
			throw error;
		}
	}
}

/** The error that a refused client gets with its event `connect_error`. */
const connectError = (error: CrowdVisionError) => Object.assign(new Error(error.message), { data: error.toBody() });

/** A message as Socket.IO has parsed it; one that was sent as a text or as bytes is JSON still to be parsed. */
function parsedText(readings: unknown): unknown {
	const raw = typeof readings === 'string' ? Buffer.from(readings) : readings;
	if (!Buffer.isBuffer(raw)) return readings ?? null;
	try {
		return parseJson(raw);
	} catch {
		return readings;
	}
}

function encoded(readings: unknown): Buffer {
	try {
		return Buffer.from(JSON.stringify(readings) ?? '');
	} catch {
		return Buffer.from('(too deeply nested to be shown)');
	}
}
