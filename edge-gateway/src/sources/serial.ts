import { CrowdVisionError } from '@crowdvision/contracts';
import { backOff, type Logger, pause } from '@crowdvision/service-kit';
import { SerialPort } from 'serialport';
import type { SerialConfig } from '../config.ts';
import type { Credentials } from '../credentials.ts';
import { parseJson } from '../decode/json.ts';
import type { Devices } from '../devices.ts';
import type { Frame, Intake } from '../intake.ts';
import type { Sender } from '../normalize/identify.ts';
import { LineFramer } from './line-framer.ts';
import { findPort, portName } from './serial-ports.ts';
import type { Deliver, Source } from './source.ts';

const LONGEST_LINE = 64 * 1024;
const MOST_IN_FLIGHT = 256;
const LOOK_EVERY_MS = 500;
const HELLO = 'HELLO';

interface SerialParts {
	credentials: Credentials;
	devices: Devices;
	refuse: Intake['refuse'];
	logger: Logger;
}

/**
 * One serial port with newline-delimited JSON. For each reading with a `seq` the device hears `ACK <seq>` once it is durable, or
 * `NAK <seq> <code>` when it was refused (the code is final) or cannot be taken now (`log_full`, `unavailable`: send it again).
 * The port may come and go: it is looked for twice a second and opened again.
 */
export class SerialSource implements Source {
	readonly name: string;
	readonly #config: SerialConfig;
	readonly #parts: SerialParts;
	readonly #stopping = new AbortController();
	readonly #framer: LineFramer;
	#deliver: Deliver | undefined;
	#port: SerialPort | undefined;
	#running: Promise<void> = Promise.resolve();
	#inFlight = 0;
	#sender: Sender | undefined;
	#trouble: string | undefined = 'not opened yet';

	constructor(config: SerialConfig, parts: SerialParts) {
		this.#config = config;
		this.#parts = parts;
		this.name = `serial ${portName(config)}`;
		this.#framer = new LineFramer(
			LONGEST_LINE,
			(line) => this.#onLine(line),
			(bytes) => void this.#onGarbage(Buffer.alloc(0), `a line of ${bytes} bytes is longer than ${LONGEST_LINE}`),
		);
	}

	async start(deliver: Deliver): Promise<void> {
		this.#deliver = deliver;
		this.#running = this.#run();
	}

	async stop(): Promise<void> {
		this.#deliver = undefined;
		this.#stopping.abort();
		await this.#running;
	}

	trouble(): string | undefined {
		return this.#trouble && `${this.name}: ${this.#trouble}`;
	}

	/** Looks for the port, opens it, stays until it is gone, and begins again. */
	async #run(): Promise<void> {
		const { signal } = this.#stopping;
		for (let failures = 0; !signal.aborted; ) {
			const path = await findPort(this.#config).catch(() => undefined);
			if (path === undefined) {
				this.#say('not plugged in');
				await pause(LOOK_EVERY_MS, signal);
				continue;
			}
			try {
				await this.#session(path);
				failures = 0;
			} catch (error) {
				this.#say((error as Error).message);
				await pause(backOff(failures++, LOOK_EVERY_MS, 5000), signal);
			}
		}
	}

	#say(trouble: string): void {
		if (this.#trouble !== trouble) this.#parts.logger.warn({ port: this.name }, `serial: ${trouble}`);
		this.#trouble = trouble;
		this.#parts.devices.missing(portName(this.#config), undefined, 'serial', trouble);
	}

	/** From opening to closing. Rejects when the port cannot be opened. */
	async #session(path: string): Promise<void> {
		const port = new SerialPort({ path, baudRate: this.#config.baudRate ?? 115_200, autoOpen: false });
		await new Promise<void>((resolve, reject) => port.open((error) => (error ? reject(error) : resolve())));
		this.#port = port;
		this.#sender = this.#config.requireToken ? undefined : this.#trustedSender();
		this.#trouble = undefined;
		this.#parts.logger.info({ port: path }, 'serial: open');
		this.#parts.devices.connected(portName(this.#config), this.#sender?.domainName, 'serial');
		const closed = new Promise<void>((resolve) => {
			port.once('close', () => resolve());
			port.on('error', (error) => {
				this.#trouble = error.message;
				if (port.isOpen) port.close(() => undefined);
				else resolve();
			});
		});
		port.on('data', (chunk: Buffer) => this.#framer.push(chunk));
		const abort = () => port.isOpen && port.close(() => undefined);
		this.#stopping.signal.addEventListener('abort', abort, { once: true });
		if (this.#stopping.signal.aborted) abort();
		const gone = this.#watchPath(path, port);
		await closed;
		clearInterval(gone);
		this.#stopping.signal.removeEventListener('abort', abort);
		this.#port = undefined;
		const torn = this.#framer.reset();
		if (torn > 0) await this.#onGarbage(Buffer.alloc(0), `the port closed in the middle of a line of ${torn} bytes`);
	}

	/** A device that was pulled out does not always end the stream; its path is gone all the same. */
	#watchPath(path: string, port: SerialPort): NodeJS.Timeout {
		return setInterval(() => {
			findPort(this.#config).then(
				(now) => {
					if (now !== path && port.isOpen) port.close(() => undefined);
				},
				() => undefined,
			);
		}, LOOK_EVERY_MS).unref();
	}

	#trustedSender(): Sender {
		const { defaults, sensorIds } = this.#config;
		const ids = sensorIds ?? (defaults?.sensorId === undefined ? undefined : [defaults.sensorId]);
		return { id: portName(this.#config), domainName: undefined, sensorIds: ids && new Set(ids), buildingId: defaults?.buildingId };
	}

	#onLine(line: Buffer): void {
		if (this.#inFlight >= MOST_IN_FLIGHT) this.#port?.pause();
		this.#inFlight++;
		void this.#take(line).finally(() => {
			this.#inFlight--;
			if (this.#inFlight < MOST_IN_FLIGHT / 2 && this.#port?.isPaused()) this.#port.resume();
		});
	}

	async #take(line: Buffer): Promise<void> {
		const sender = this.#sender;
		if (!sender || line.toString('latin1', 0, HELLO.length) === HELLO) return this.#hello(line);
		const { sensorId, buildingId, roomId } = this.#config.defaults ?? {};
		const frame: Frame = { transport: 'serial', source: portName(this.#config), port: portName(this.#config), sender, context: {}, raw: line };
		try {
			frame.parsed = withDefaults(parseJson(line), { sensorId, buildingId, roomId });
		} catch (error) {
			return this.#onGarbage(line, (error as Error).message);
		}
		try {
			if (!this.#deliver) throw new CrowdVisionError('unavailable', 'The gateway is stopping');
			const accepted = await this.#deliver(frame);
			this.#parts.devices.heard(portName(this.#config), sender.domainName, 'serial', accepted);
			for (const seq of seqsOf(frame.parsed)) this.#write(`ACK ${seq}\n`);
		} catch (error) {
			if (!(error instanceof CrowdVisionError)) this.#parts.logger.error({ err: error }, 'serial: a line failed');
			const code = error instanceof CrowdVisionError ? error.code : 'internal';
			for (const seq of seqsOf(frame.parsed)) this.#write(`NAK ${seq} ${code}\n`);
		}
	}

	/**
	 * `HELLO <deviceId> <token>`, the first line where the port asks for a token, and again whenever the device has restarted. Where it does not
	 * ask, the port stays what its configuration says.
	 */
	async #hello(line: Buffer): Promise<void> {
		const [word, deviceId, token] = line.toString('latin1').trim().split(' ');
		if (this.#config.requireToken) this.#sender = undefined;
		try {
			if (word !== HELLO) throw new CrowdVisionError('unauthenticated', 'The first line must be HELLO <deviceId> <token>');
			const sender = await this.#parts.credentials.namedSender(deviceId, token);
			this.#sender ??= sender;
			this.#parts.devices.connected(portName(this.#config), this.#sender.domainName, 'serial');
			this.#write('OK\n');
		} catch {
			this.#write('NAK HELLO unauthenticated\n');
		}
	}

	/** Resolves when it is listed. */
	async #onGarbage(line: Buffer, message: string): Promise<void> {
		const received = { transport: 'serial' as const, source: portName(this.#config), port: portName(this.#config), sender: this.#sender, raw: line };
		try {
			await this.#parts.refuse(received, new CrowdVisionError('not_json', message));
		} catch (error) {
			if (!(error instanceof CrowdVisionError)) this.#parts.logger.error({ err: error }, 'serial: a refusal could not be kept');
		}
	}

	#write(text: string): void {
		// A device that reads nothing must not make us buffer its answers without end; it will send again what it heard nothing of.
		if (this.#port?.isOpen && this.#port.writableLength < LONGEST_LINE) this.#port.write(text, 'latin1');
	}
}

function withDefaults(value: unknown, defaults: Record<string, string | undefined>): unknown {
	if (Array.isArray(value)) return value.map((item) => withDefaults(item, defaults));
	if (typeof value !== 'object' || value === null) return value;
	const merged: Record<string, unknown> = { ...value };
	for (const [key, told] of Object.entries(defaults)) if (merged[key] === undefined && told !== undefined) merged[key] = told;
	return merged;
}

function seqsOf(value: unknown): Set<number> {
	const seqs = (Array.isArray(value) ? value : [value]).map((item) => (item as { seq?: unknown } | null)?.seq);
	return new Set(seqs.filter((seq) => typeof seq === 'number'));
}
