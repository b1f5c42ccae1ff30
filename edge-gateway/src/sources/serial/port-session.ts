/** Keeps one port open: opens it, finds its line settings, and opens it again when it fails or is silent. */
import { Retry } from '@crowdvision/service-kit';
import type { SerialPort } from 'serialport';
import type { Deliver } from '../../frame.ts';
import { timerMilliseconds } from '../../measures.ts';
import { filled } from '../../options.ts';
import { Conversation, type SerialParts } from './conversation.ts';
import { FloodGuard } from './flood-guard.ts';
import { createFraming } from './framings.ts';
import { Inflow } from './inflow.ts';
import { openPort } from './open-port.ts';
import { Outflow } from './outflow.ts';
import { IdentifyConfig, SerialConfig } from './serial-config.ts';
import { SilenceWatch } from './silence-watch.ts';

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5000;
/** How often a device is asked for its name with one set of line settings before the next set is tried. */
const ASKS_PER_VARIANT = 3;

/** Counters of one port since the gateway started. */
export interface PortCounts {
	opened: number;
	bytes: number;
	frames: number;
	/** Stretches of bytes discarded because they were no frame. */
	discarded: number;
	/** Times reading was paused because the port sent too much. */
	floods: number;
	/** Answers dropped because the device did not read. */
	unwritten: number;
	/** Times the port was reopened because its device was silent. */
	silences: number;
}

/** Entries of gateway.yaml with the same line settings: one opening of the port can tell their devices apart. */
export type PortVariant = readonly [SerialConfig, ...SerialConfig[]];

/** The port of a session, and what the session asks of its source. */
export interface PortSessionOptions {
	/** The port's name, used until its device has stated a name of its own. */
	name: string;
	/** The device file. */
	node: string;
	/** Line settings to try in turn, each with the entries that use them. Usually one variant with one entry. */
	variants: readonly PortVariant[];
	counts: PortCounts;
	/** Undefined once the gateway is stopping. */
	deliver(): Deliver | undefined;
	/** Whether the port, now that it is open, is still bound to these entries. */
	isStillBound(): Promise<boolean>;
	/** See Wire. */
	claim(device: string): SerialConfig | undefined;
	/** Called when the port has closed, which ends its device's claim to a name. */
	onClosed(): void;
}

/**
 * Serves one port from its appearance until `stop`: opens it, talks to its device, and reopens it whenever it closes.
 */
export class PortSession {
	readonly #options: PortSessionOptions;
	readonly #parts: SerialParts;
	readonly #stopping = new AbortController();
	#running: Promise<void> = Promise.resolve();
	readonly #retry = new Retry({
		what: 'serial: opening a port',
		firstMs: FIRST_PAUSE_MS,
		longestMs: LONGEST_PAUSE_MS,
		signal: this.#stopping.signal,
	});
	#conversation: Conversation | undefined;
	#silence: SilenceWatch | undefined;
	#name: string;
	#trouble: string | undefined;
	#variant = 0;

	constructor(options: PortSessionOptions, parts: SerialParts) {
		this.#options = options;
		this.#parts = parts;
		this.#name = options.name;
	}

	get trouble(): string | undefined {
		return this.#trouble && `${this.#name}: ${this.#trouble}`;
	}

	start(): void {
		this.#running = this.#run();
	}

	/** Resolves when the port is closed. */
	async stop(): Promise<void> {
		this.#stopping.abort();
		await this.#running;
	}

	/** Cuts the pause before the next attempt to open the port short; called when ports have come or gone. */
	retryNow(): void {
		this.#retry.tryNow();
	}

	/** Takes nothing from the device until it states its name again, because another port's device states the same. */
	disputeIdentity(): void {
		this.#conversation?.forgetIdentity();
		this.#setMissing(`the device at ${this.#options.name} and another one state this name`);
	}

	get #entries(): PortVariant {
		return this.#options.variants[this.#variant % this.#options.variants.length]!;
	}

	async #run(): Promise<void> {
		const { signal } = this.#stopping;
		while (!signal.aborted) {
			let reason: unknown = 'the port was closed';
			try {
				const port = await openPort(this.#options.node, this.#entries[0]);
				if (await this.#serve(port)) this.#retry.succeeded();
			} catch (error) {
				reason = error;
				this.#setMissing((error as Error).message);
			}
			if (!signal.aborted) await this.#retry.failed(reason);
		}
	}

	/** Serves an open port until it closes. Resolves with whether the device sent anything that was understood. */
	async #serve(port: SerialPort): Promise<boolean> {
		const { signal } = this.#stopping;
		const closed = new Promise<void>((resolve) => port.once('close', () => resolve()));
		const close = () => void (port.isOpen && port.close(() => undefined));
		port.on('error', close);
		signal.addEventListener('abort', close, { once: true });
		try {
			// Between the scan and the opening, another device may have got this device file.
			const isBound = !signal.aborted && (await this.#options.isStillBound());
			if (!isBound) close();
			const wasUnderstood = isBound && (await this.#converse(port, close, closed));
			await closed;
			if (isBound) this.#setMissing('the port was closed');
			return wasUnderstood;
		} finally {
			signal.removeEventListener('abort', close);
			this.#conversation?.end();
			this.#conversation = undefined;
			this.#name = this.#options.name;
			this.#options.onClosed();
		}
	}

	async #converse(port: SerialPort, close: () => void, closed: Promise<void>): Promise<boolean> {
		const { counts, name, deliver, claim } = this.#options;
		const entries = this.#entries;
		const { framesPerSecond, silentAfter, identify } = filled(SerialConfig, entries[0]);
		const outflow = new Outflow(port);
		const inflow = new Inflow(port, new FloodGuard(framesPerSecond, performance.now()));
		let wasUnderstood = false;
		let frames = 0;
		const framing = createFraming(entries[0], {
			frame: (raw) => {
				frames++;
				inflow.begun(conversation.frame(raw));
			},
			discarded: (discarded) => {
				frames++;
				counts.discarded++;
				inflow.begun(conversation.discarded(discarded));
			},
		});
		const wire = {
			name,
			entries,
			framing,
			deliver,
			claim,
			write: (text: string) => {
				// Nothing is lost by a dropped answer: the device sends the reading again.
				if (!outflow.write(text)) counts.unwritten++;
			},
			onMessage: () => {
				wasUnderstood = true;
				this.#name = conversation.name;
				this.#silence?.messageReceived(performance.now());
				if (this.#trouble && !inflow.isFlooding()) this.#setTrouble(undefined);
			},
		};
		const conversation = new Conversation(wire, this.#parts);
		this.#conversation = conversation;
		counts.opened++;
		this.#reportOpened(conversation);
		port.on('data', (chunk: Buffer) => {
			counts.bytes += chunk.length;
			this.#silence?.bytesReceived(chunk.length);
			frames = 0;
			framing.push(chunk);
			counts.frames += frames;
			if (!inflow.read(frames, chunk.length)) return;
			counts.floods++;
			this.#setTrouble(`floods: the port sends more than ${framesPerSecond} frames a second and is read in portions`);
		});
		const timers = [
			identify && this.#askForName(conversation, timerMilliseconds(filled(IdentifyConfig, identify).every), close),
			silentAfter !== undefined && this.#watchSilence(timerMilliseconds(silentAfter), close),
		];
		await closed;
		for (const timer of timers) if (timer) clearInterval(timer);
		framing.end();
		return wasUnderstood;
	}

	#reportOpened(conversation: Conversation): void {
		this.#parts.logger.info({ port: this.#options.name, node: this.#options.node }, 'serial: port opened');
		this.#trouble = this.#silence?.trouble();
		if (!conversation.identified) return;
		if (this.#trouble) this.#setMissing(this.#trouble);
		else this.#parts.devices.connected(this.#name, undefined, 'serial');
	}

	/** Asks for the device's name until it is known. Without an answer, closes the port to try the next variant. */
	#askForName(conversation: Conversation, everyMs: number, close: () => void): NodeJS.Timeout {
		let asked = 0;
		const ask = () => {
			if (conversation.identified) {
				asked = 0;
			} else if (asked++ >= ASKS_PER_VARIANT && this.#options.variants.length > 1) {
				this.#variant++;
				close();
			} else conversation.ask();
		};
		ask();
		return setInterval(ask, everyMs).unref();
	}

	#watchSilence(afterMs: number, close: () => void): NodeJS.Timeout {
		this.#silence ??= new SilenceWatch(afterMs, performance.now());
		const silence = this.#silence;
		return setInterval(() => {
			const now = performance.now();
			if (!silence.isTooLong(now)) return;
			silence.reopening(now);
			this.#options.counts.silences++;
			this.#setTrouble(silence.trouble() ?? 'the device is silent; the port is being reopened');
			close();
		}, afterMs / 4).unref();
	}

	/** Lists and logs what is wrong with the open port; undefined: it works again. */
	#setTrouble(trouble: string | undefined): void {
		if (this.#trouble === trouble) return;
		if (trouble) this.#parts.logger.warn({ port: this.#name }, `serial: ${trouble}`);
		else this.#parts.logger.info({ port: this.#name }, 'serial: the port works again');
		this.#trouble = trouble;
		this.#parts.devices.setTrouble(this.#name, undefined, 'serial', trouble);
	}

	/** Lists the device as disconnected, with the reason. */
	#setMissing(reason: string): void {
		if (this.#trouble !== reason) this.#parts.logger.warn({ port: this.#name }, `serial: ${reason}`);
		this.#trouble = reason;
		this.#parts.devices.setMissing(this.#name, undefined, 'serial', reason);
	}
}
