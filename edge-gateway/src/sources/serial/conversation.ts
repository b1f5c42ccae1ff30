import { CrowdVisionError } from '@crowdvision/contracts';
import type { Logger } from '@crowdvision/service-kit';
import type { Credentials } from '../../access/credentials.ts';
import type { Devices } from '../../devices/devices.ts';
import { sensorsIn } from '../../downlink/device-line.ts';
import type { Lines } from '../../downlink/lines.ts';
import { SerialLine } from '../../downlink/serial-line.ts';
import type { Frame } from '../../frame.ts';
import type { Intake } from '../../intake/intake.ts';
import type { Sender } from '../../normalize/identify.ts';
import type { Discarded, Framing } from '../framing/framing.ts';
import type { Deliver } from '../source.ts';
import { entryName } from './candidates.ts';
import { portFrame, senderOfPort } from './port-frame.ts';
import type { SerialConfig } from './serial-config.ts';

/** What every port needs of the gateway. */
export interface SerialParts {
	credentials: Credentials;
	devices: Devices;
	refuse: Intake['refuse'];
	/** Where devices hear commands. */
	lines: Lines;
	logger: Logger;
}

/** The port as its conversation sees it. */
export interface Wire {
	/** What the port is called while nothing is known of its device. */
	readonly name: string;
	/** The entries it may be for: one, or those whose device has to say that it is theirs. */
	readonly entries: readonly SerialConfig[];
	readonly framing: Framing;
	/** Undefined once the gateway stops. */
	deliver(): Deliver | undefined;
	write(text: string): void;
	/** The device said something that has a meaning. */
	spoke(): void;
	/**
	 * A device has said who it is. Returns what it is here, or undefined where it is nobody's, or somebody else says the
	 * same.
	 */
	claim(device: string): SerialConfig | undefined;
}

/** What cannot be read is counted always, and listed at most so often. */
const LISTED_AT_ONCE = 100;
const LISTED_PER_SECOND = 1;
const HELLO = /^HELLO(?:\s|$)/;
const UNAUTHENTICATED = 'NAK HELLO unauthenticated\n';

/**
 * What is said over one opening of a port. For each reading with a `seq` the device hears `ACK <seq>` once it is
 * durable, or `NAK <seq> <code>` when it was refused (the code is final) or cannot be taken now (`log_full`,
 * `unavailable`: send it again). Nothing is taken before it is known whose the port is: by configuration, by the
 * device's name (`identify`), by its token (`requireToken`).
 */
export class Conversation {
	readonly #wire: Wire;
	readonly #parts: SerialParts;
	readonly #answer: RegExp | undefined;
	#config: SerialConfig | undefined;
	#sender: Sender | undefined;
	/** On which the device hears commands, while it is known whose the port is. */
	#line: SerialLine | undefined;
	/** A HELLO that is being looked at; what comes behind it waits. */
	#greeting: Promise<void> | undefined;

	#listable = LISTED_AT_ONCE;
	#listedAt = performance.now();

	constructor(wire: Wire, parts: SerialParts) {
		this.#wire = wire;
		this.#parts = parts;
		const [first] = wire.entries as [SerialConfig];
		if (first.identify?.answer !== undefined) this.#answer = new RegExp(first.identify.answer);
		if (!first.identify) this.#is(first);
	}

	/** Whether it is known which entry of gateway.yaml this port is. */
	get identified(): boolean {
		return this.#config !== undefined;
	}

	get name(): string {
		return this.#config?.identify ? entryName(this.#config) : this.#wire.name;
	}

	/** Asks the device who it is. */
	ask(): void {
		this.#wire.write(this.#wire.entries[0]!.identify?.probe ?? 'HELLO?\n');
	}

	/** Somebody else says the same of himself: nothing is taken until this is clear. */
	doubt(): void {
		this.#config = this.#sender = undefined;
		this.end();
	}

	/** The port was closed: no commands any more. */
	end(): void {
		if (this.#line) this.#parts.lines.remove(this.#line);
		this.#line = undefined;
	}

	/** Resolves when it is dealt with, whatever became of it: no frame ends the gateway. */
	async frame(raw: Buffer): Promise<void> {
		try {
			await this.#frame(raw);
		} catch (error) {
			this.#parts.logger.error({ err: error, port: this.name }, 'serial: a frame failed');
		}
	}

	async #frame(raw: Buffer): Promise<void> {
		const { framing } = this.#wire;
		const said = framing.said(raw);
		if (said !== undefined && HELLO.test(said)) {
			const greeting = this.#hello(said);
			this.#greeting = greeting;
			await greeting;
			if (this.#greeting === greeting) this.#greeting = undefined;
			return;
		}
		if (this.#greeting) await this.#greeting;
		const device = said === undefined ? undefined : this.#answer?.exec(said)?.[1];
		if (said !== undefined && this.#line?.take(said)) return this.#wire.spoke();
		if (device !== undefined) this.#claim(device);
		else if (this.#sender && this.#config) await this.#take(raw, this.#sender, this.#config);
		else {
			this.#wire.write(UNAUTHENTICATED);
			await this.#refuse(
				raw,
				new CrowdVisionError('unauthenticated', 'The device at this port has not said who it is'),
			);
		}
	}

	/** Resolves when it is listed. */
	discarded({ sample, reason }: Discarded): Promise<void> {
		return this.#refuse(sample, new CrowdVisionError('not_json', reason));
	}

	/**
	 * `HELLO <device> [<token>]`, the first line where the port asks for it, and again whenever the device has restarted.
	 * Where it does not ask, the port stays what its configuration says.
	 */
	async #hello(said: string): Promise<void> {
		const [, device, token] = said.trim().split(/\s+/);
		const [first] = this.#wire.entries as [SerialConfig];
		if (first.identify && device !== undefined) this.#claim(device);
		else if (first.requireToken) this.#sender = undefined;
		const config = this.#config;
		try {
			if (!config) throw new CrowdVisionError('unauthenticated', 'The device is nobody that gateway.yaml names');
			// A port whose device is trusted by its name alone does not look at a token.
			if (!config.identify || config.requireToken) {
				const sender = await this.#parts.credentials.namedSender(device, token);
				if (this.#config === config) this.#sender ??= sender;
				this.#listens();
			}
			this.#wire.spoke();
			this.#wire.write('OK\n');
			this.#parts.devices.connected(this.name, this.#sender?.domainName, 'serial');
		} catch {
			this.#wire.write(UNAUTHENTICATED);
		}
	}

	#claim(device: string): void {
		const config = this.#wire.claim(device);
		if (config === this.#config && !config?.requireToken) {
			if (config) this.#wire.spoke();
			return;
		}
		if (this.#config && this.#config !== config)
			this.#parts.devices.missing(
				this.name,
				undefined,
				'serial',
				`the device at ${this.#wire.name} says that it is another`,
			);
		this.doubt();
		if (!config) return;
		this.#is(config);
		this.#wire.spoke();
		this.#parts.devices.connected(this.name, undefined, 'serial');
	}

	#is(config: SerialConfig): void {
		this.#config = config;
		if (config.requireToken) return;
		this.#sender = senderOfPort(this.name, config);
		this.#listens();
	}

	/** Commands to its sensors may go here now; to those it does not name, once it has spoken for them. */
	#listens(): void {
		const sender = this.#sender;
		if (!sender) return;
		this.#line ??= new SerialLine(this.name, sender.domainName, (text) => this.#wire.write(text));
		for (const sensorId of sender.sensorIds ?? []) this.#parts.lines.add(sensorId, this.#line);
	}

	async #take(raw: Buffer, sender: Sender, config: SerialConfig): Promise<void> {
		const { framing } = this.#wire;
		let frame: Frame;
		try {
			frame = portFrame(this.name, raw, framing.decode(raw), sender, config);
		} catch (error) {
			if (!(error instanceof CrowdVisionError)) throw error;
			const rest = framing.salvage?.(raw);
			const lost = this.#refuse(rest ? raw.subarray(0, raw.length - rest.length) : raw, error);
			if (rest) await this.#take(rest, sender, config);
			return lost;
		}
		this.#wire.spoke();
		if (frame.parsed === undefined) return;
		try {
			const deliver = this.#wire.deliver();
			if (!deliver) throw new CrowdVisionError('unavailable', 'The gateway is stopping');
			const accepted = await deliver(frame);
			this.#parts.devices.heard(this.name, sender.domainName, 'serial', accepted);
			if (this.#line) for (const sensorId of sensorsIn(frame.parsed)) this.#parts.lines.add(sensorId, this.#line);
			for (const seq of seqsOf(frame.parsed)) this.#wire.write(`ACK ${seq}\n`);
		} catch (error) {
			if (!(error instanceof CrowdVisionError))
				this.#parts.logger.error({ err: error, port: this.name }, 'serial: a frame failed');
			const code = error instanceof CrowdVisionError ? error.code : 'internal';
			for (const seq of seqsOf(frame.parsed)) this.#wire.write(`NAK ${seq} ${code}\n`);
		}
	}

	/** A line that brings nothing but garbage would write it all to the disk, day and night. */
	#mayList(now: number): boolean {
		this.#listable = Math.min(LISTED_AT_ONCE, this.#listable + ((now - this.#listedAt) * LISTED_PER_SECOND) / 1000);
		this.#listedAt = now;
		if (this.#listable < 1) return false;
		this.#listable--;
		return true;
	}

	async #refuse(raw: Buffer, error: CrowdVisionError): Promise<void> {
		try {
			const unlisted = !this.#mayList(performance.now());
			await this.#parts.refuse(
				{ transport: 'serial', source: this.name, port: this.name, sender: this.#sender, raw, unlisted },
				error,
			);
		} catch (reason) {
			if (!(reason instanceof CrowdVisionError))
				this.#parts.logger.error({ err: reason, port: this.name }, 'serial: a refusal could not be kept');
		}
	}
}

function seqsOf(value: unknown): Set<number> {
	const seqs = (Array.isArray(value) ? value : [value]).map((item) => (item as { seq?: unknown } | null)?.seq);
	return new Set(seqs.filter((seq) => typeof seq === 'number'));
}
