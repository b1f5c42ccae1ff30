/** The dialogue with the device at one opened port. */
import { CrowdVisionError } from '@crowdvision/contracts';
import type { Logger } from '@crowdvision/service-kit';
import type { Credentials } from '../../access/credentials.ts';
import type { Devices } from '../../devices/devices.ts';
import type { CommandChannels } from '../../downlink/command-channels.ts';
import { sensorsIn } from '../../downlink/device-messages.ts';
import { SerialChannel } from '../../downlink/serial-channel.ts';
import type { Deliver, Frame } from '../../frame.ts';
import type { Intake } from '../../intake/intake.ts';
import type { Sender } from '../../normalize/identify.ts';
import { filled } from '../../options.ts';
import type { Discarded, Framing } from '../framing/framing.ts';
import { entryName } from './candidates.ts';
import { portFrame, senderOfPort } from './port-frame.ts';
import { IdentifyConfig, type SerialConfig } from './serial-config.ts';

/** What every port needs of the gateway. */
export interface SerialParts {
	credentials: Credentials;
	devices: Devices;
	refuse: Intake['refuse'];
	ignore: Intake['ignore'];
	/** Where a port registers to receive commands for its sensors. */
	channels: CommandChannels;
	logger: Logger;
}

/** The opened port, as its conversation uses it. */
export interface Wire {
	/** The port's name, used until its device has stated a name of its own. */
	readonly name: string;
	/** The entries the port may be for. With more than one, the device has to say which it is. */
	readonly entries: readonly SerialConfig[];
	readonly framing: Framing;
	/** Undefined once the gateway is stopping. */
	deliver(): Deliver | undefined;
	write(text: string): void;
	/** Called for each message or reading of the device that could be understood. */
	onMessage(): void;
	/**
	 * Called when the device states its name. Returns its entry; undefined when no entry has this name or another port's
	 * device has stated the same.
	 */
	claim(device: string): SerialConfig | undefined;
}

/** Undecodable frames are all counted, but only this many are listed: a burst, then one a second. */
const LISTED_BURST = 100;
const LISTED_PER_SECOND = 1;
const HELLO = /^HELLO(?:\s|$)/;
const UNAUTHENTICATED = 'NAK HELLO unauthenticated\n';

/**
 * The dialogue with a device over one opening of its port. Each reading with a `seq` is answered with `ACK <seq>` once
 * it is durable, or with `NAK <seq> <code>`: the code is final, or `log_full` or `unavailable`, and then the device
 * sends the reading again. Nothing is taken before the sender is known: by configuration, by the device's name
 * (`identify`), or by its token (`requireToken`).
 */
export class Conversation {
	readonly #wire: Wire;
	readonly #parts: SerialParts;
	readonly #nameInAnswer: RegExp | undefined;
	#config: SerialConfig | undefined;
	#sender: Sender | undefined;
	/** Delivers commands to the device, while the sender is known. */
	#channel: SerialChannel | undefined;
	/** A HELLO whose token is being verified; frames behind it wait. */
	#greeting: Promise<void> | undefined;

	#listable = LISTED_BURST;
	#listedAt = performance.now();

	constructor(wire: Wire, parts: SerialParts) {
		this.#wire = wire;
		this.#parts = parts;
		const [first] = wire.entries as [SerialConfig];
		if (first.identify?.answer !== undefined) this.#nameInAnswer = new RegExp(first.identify.answer);
		if (!first.identify) this.#identify(first);
	}

	/** Whether it is known to which entry of gateway.yaml the port belongs. */
	get identified(): boolean {
		return this.#config !== undefined;
	}

	get name(): string {
		return this.#config?.identify ? entryName(this.#config) : this.#wire.name;
	}

	/** Asks the device for its name. */
	ask(): void {
		const { identify } = this.#wire.entries[0]!;
		if (identify) this.#wire.write(filled(IdentifyConfig, identify).probe);
	}

	/** Forgets who the device is: nothing is taken until it has stated its name again and the name is unique. */
	forgetIdentity(): void {
		this.#config = this.#sender = undefined;
		this.end();
	}

	/** Ends the delivery of commands; call it when the port has closed. */
	end(): void {
		if (this.#channel) this.#parts.channels.remove(this.#channel);
		this.#channel = undefined;
	}

	/** Handles one frame, up to its answer. Never rejects: no frame may end the gateway. */
	async frame(raw: Buffer): Promise<void> {
		try {
			await this.#frame(raw);
		} catch (error) {
			this.#parts.logger.error({ err: error, port: this.name }, 'serial: a frame failed');
		}
	}

	async #frame(raw: Buffer): Promise<void> {
		const { framing } = this.#wire;
		const text = framing.textOf(raw);
		if (text !== undefined && HELLO.test(text)) {
			const greeting = this.#hello(text);
			this.#greeting = greeting;
			await greeting;
			if (this.#greeting === greeting) this.#greeting = undefined;
			return;
		}
		if (this.#greeting) await this.#greeting;
		const device = text === undefined ? undefined : this.#nameInAnswer?.exec(text)?.[1];
		if (text !== undefined && this.#channel?.take(text)) return this.#wire.onMessage();
		if (device !== undefined) this.#claim(device);
		else if (this.#sender && this.#config) await this.#take(raw, this.#sender, this.#config);
		else {
			this.#wire.write(UNAUTHENTICATED);
			await this.#refuse(
				raw,
				new CrowdVisionError('unauthenticated', 'The device at this port has not stated its name or token'),
			);
		}
	}

	/** Counts and lists bytes that were no frame. Never rejects. */
	discarded({ sample, reason }: Discarded): Promise<void> {
		return this.#refuse(sample, new CrowdVisionError('not_json', reason));
	}

	/**
	 * Handles `HELLO <device> [<token>]`: the first line on a port that requires it, and again whenever the device has
	 * restarted. On other ports the token is verified and answered, but the sender stays the configured one.
	 */
	async #hello(text: string): Promise<void> {
		const [, device, token] = text.trim().split(/\s+/);
		const [first] = this.#wire.entries as [SerialConfig];
		if (first.identify && device !== undefined) this.#claim(device);
		else if (first.requireToken) {
			this.#sender = undefined;
			// The next device may be another one's, of another domain.
			this.end();
		}
		const config = this.#config;
		try {
			if (!config) throw new CrowdVisionError('unauthenticated', 'No entry of gateway.yaml names this device');
			// A device that is trusted by its name alone needs no token.
			if (!config.identify || config.requireToken) {
				const sender = await this.#parts.credentials.namedSender(device, token);
				if (this.#config === config) this.#sender ??= sender;
				this.#acceptCommands();
			}
			this.#wire.onMessage();
			this.#wire.write('OK\n');
			this.#parts.devices.connected(this.name, this.#sender?.domainName, 'serial');
		} catch {
			this.#wire.write(UNAUTHENTICATED);
		}
	}

	#claim(device: string): void {
		const config = this.#wire.claim(device);
		if (config === this.#config && !config?.requireToken) {
			if (config) this.#wire.onMessage();
			return;
		}
		if (this.#config && this.#config !== config)
			this.#parts.devices.setMissing(
				this.name,
				undefined,
				'serial',
				`the device at ${this.#wire.name} now states another name`,
			);
		this.forgetIdentity();
		if (!config) return;
		this.#identify(config);
		this.#wire.onMessage();
		this.#parts.devices.connected(this.name, undefined, 'serial');
	}

	#identify(config: SerialConfig): void {
		this.#config = config;
		if (config.requireToken) return;
		this.#sender = senderOfPort(this.name, config);
		this.#acceptCommands();
	}

	/** Registers for commands to the sender's sensors; sensors it does not list are added with their first reading. */
	#acceptCommands(): void {
		const sender = this.#sender;
		if (!sender) return;
		this.#channel ??= new SerialChannel(this.name, sender.domainName, (text) => this.#wire.write(text));
		for (const sensorId of sender.sensorIds ?? []) this.#parts.channels.add(sensorId, this.#channel);
	}

	async #take(raw: Buffer, sender: Sender, config: SerialConfig): Promise<void> {
		const { framing } = this.#wire;
		let frame: Frame;
		try {
			frame = portFrame(this.name, raw, framing.decode(raw), sender, config);
		} catch (error) {
			if (!(error instanceof CrowdVisionError)) throw error;
			if (framing.isChatter?.(raw)) return this.#ignore(raw, sender);
			const rest = framing.salvage?.(raw);
			const lost = this.#refuse(rest ? raw.subarray(0, raw.length - rest.length) : raw, error);
			if (rest) await this.#take(rest, sender, config);
			return lost;
		}
		this.#wire.onMessage();
		if (frame.parsed === undefined) return;
		try {
			const deliver = this.#wire.deliver();
			if (!deliver) throw new CrowdVisionError('unavailable', 'The gateway is stopping');
			const accepted = await deliver(frame);
			this.#parts.devices.received(this.name, sender.domainName, 'serial', accepted);
			if (this.#channel)
				for (const sensorId of sensorsIn(frame.parsed)) this.#parts.channels.add(sensorId, this.#channel);
			for (const seq of seqsOf(frame.parsed)) this.#wire.write(`ACK ${seq}\n`);
		} catch (error) {
			if (!(error instanceof CrowdVisionError))
				this.#parts.logger.error({ err: error, port: this.name }, 'serial: a frame failed');
			const code = error instanceof CrowdVisionError ? error.code : 'internal';
			for (const seq of seqsOf(frame.parsed)) this.#wire.write(`NAK ${seq} ${code}\n`);
		}
	}

	/** Limits what is listed: a line that sends nothing but garbage must not have all of it written to disk. */
	#mayList(now: number): boolean {
		this.#listable = Math.min(LISTED_BURST, this.#listable + ((now - this.#listedAt) * LISTED_PER_SECOND) / 1000);
		this.#listedAt = now;
		if (this.#listable < 1) return false;
		this.#listable--;
		return true;
	}

	/** Counts a line of the device's own log. */
	#ignore(raw: Buffer, sender: Sender): void {
		this.#wire.onMessage();
		const { name } = this;
		this.#parts.ignore({ transport: 'serial', source: name, port: name, sender, context: {}, raw }, 'chatter');
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
				this.#parts.logger.error({ err: reason, port: this.name }, 'serial: a refused frame could not be listed');
		}
	}
}

function seqsOf(value: unknown): Set<number> {
	const seqs = (Array.isArray(value) ? value : [value]).map((item) => (item as { seq?: unknown } | null)?.seq);
	return new Set(seqs.filter((seq) => typeof seq === 'number'));
}
