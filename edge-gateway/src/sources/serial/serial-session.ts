import { backOff, pause } from '@crowdvision/service-kit';
import type { SerialPort } from 'serialport';
import { timerMilliseconds } from '../../measures.ts';
import type { Deliver } from '../source.ts';
import { Conversation, type SerialParts } from './conversation.ts';
import { FloodGuard } from './flood-guard.ts';
import { createFraming } from './framings.ts';
import { Inflow } from './inflow.ts';
import { openPort } from './open-port.ts';
import { Outflow } from './outflow.ts';
import type { SerialConfig } from './serial-config.ts';
import { Silence } from './silence.ts';

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5000;
const FRAMES_PER_SECOND = 2000;
const ASK_EVERY = '2s';
/** So often a device is asked in one way before the next is tried. */
const ASKED_ONE_WAY = 3;

/** What is counted of one port since the gateway started. */
export interface PortCounts {
	opened: number;
	bytes: number;
	frames: number;
	/** Stretches of bytes that were no frame. */
	discarded: number;
	/** Times it was held up for bringing too much. */
	floods: number;
	/** Answers that were not written as the device did not read. */
	unwritten: number;
	/** Times it was opened anew as nothing was heard of it. */
	silences: number;
}

export interface SessionOptions {
	/** What the port is called while nothing is known of its device. */
	name: string;
	/** Its file. */
	node: string;
	/**
	 * In what ways it may be spoken with, and for each the entries of gateway.yaml it may be then. Usually one of one.
	 */
	ways: readonly (readonly [SerialConfig, ...SerialConfig[]])[];
	counts: PortCounts;
	deliver(): Deliver | undefined;
	/** Whether the port is still what it was taken for. */
	holds(): Promise<boolean>;
	/** See Wire. */
	claim(device: string): SerialConfig | undefined;
	/** The port was closed: its device is nobody until it says so again. */
	closed(): void;
}

/** One port, from its appearing to its vanishing: opened, spoken with, and opened again whenever it closes. */
export class SerialSession {
	readonly #options: SessionOptions;
	readonly #parts: SerialParts;
	readonly #stopping = new AbortController();
	#running: Promise<void> = Promise.resolve();
	#waiting = new AbortController();
	#conversation: Conversation | undefined;
	#silence: Silence | undefined;
	#name: string;
	#trouble: string | undefined;
	#way = 0;

	constructor(options: SessionOptions, parts: SerialParts) {
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
		this.#waiting.abort();
		await this.#running;
	}

	/** Something about the ports has changed: it is worth trying at once. */
	hurry(): void {
		this.#waiting.abort();
	}

	/** Another port's device says of itself what this one's does. */
	doubt(): void {
		this.#conversation?.doubt();
		this.#gone(`the device at ${this.#options.name} says that it is this one, and so does another`);
	}

	get #settings(): readonly [SerialConfig, ...SerialConfig[]] {
		return this.#options.ways[this.#way % this.#options.ways.length]!;
	}

	async #run(): Promise<void> {
		const { signal } = this.#stopping;
		for (let failures = 0; !signal.aborted; ) {
			try {
				const port = await openPort(this.#options.node, this.#settings[0]);
				if (await this.#session(port)) failures = 0;
			} catch (error) {
				this.#gone((error as Error).message);
			}
			if (signal.aborted) return;
			this.#waiting = new AbortController();
			await pause(backOff(failures++, FIRST_PAUSE_MS, LONGEST_PAUSE_MS), this.#waiting.signal);
		}
	}

	/** From opening to closing. Resolves with whether anything sensible was heard. */
	async #session(port: SerialPort): Promise<boolean> {
		const { signal } = this.#stopping;
		const closed = new Promise<void>((resolve) => port.once('close', () => resolve()));
		const close = () => void (port.isOpen && port.close(() => undefined));
		port.on('error', close);
		signal.addEventListener('abort', close, { once: true });
		try {
			// Between the look at the ports and the opening, another device may have come to this name.
			const holds = !signal.aborted && (await this.#options.holds());
			if (!holds) close();
			const spoke = holds && (await this.#converse(port, close, closed));
			await closed;
			if (holds) this.#gone('the port was closed');
			return spoke;
		} finally {
			signal.removeEventListener('abort', close);
			this.#conversation?.end();
			this.#conversation = undefined;
			this.#name = this.#options.name;
			this.#options.closed();
		}
	}

	async #converse(port: SerialPort, close: () => void, closed: Promise<void>): Promise<boolean> {
		const { counts, name, deliver, claim } = this.#options;
		const entries = this.#settings;
		const { framesPerSecond = FRAMES_PER_SECOND, silentAfter, identify } = entries[0];
		const outflow = new Outflow(port);
		const inflow = new Inflow(port, new FloodGuard(framesPerSecond, performance.now()));
		let spoke = false;
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
				// The device sends again what it heard nothing of.
				if (!outflow.write(text)) counts.unwritten++;
			},
			spoke: () => {
				spoke = true;
				this.#name = conversation.name;
				this.#silence?.spoke(performance.now());
				if (this.#trouble && !inflow.isFlooding()) this.#say(undefined);
			},
		};
		const conversation = new Conversation(wire, this.#parts);
		this.#conversation = conversation;
		counts.opened++;
		this.#opened(conversation);
		port.on('data', (chunk: Buffer) => {
			counts.bytes += chunk.length;
			this.#silence?.heard(chunk.length);
			frames = 0;
			framing.push(chunk);
			counts.frames += frames;
			if (!inflow.took(frames, chunk.length)) return;
			counts.floods++;
			this.#say(`floods: it brings more than ${framesPerSecond} frames a second, and is read in portions`);
		});
		const timers = [
			identify && this.#askWhoItIs(conversation, timerMilliseconds(identify.every ?? ASK_EVERY), close),
			silentAfter !== undefined && this.#watchSilence(timerMilliseconds(silentAfter), close),
		];
		await closed;
		for (const timer of timers) if (timer) clearInterval(timer);
		framing.end();
		return spoke;
	}

	#opened(conversation: Conversation): void {
		this.#parts.logger.info({ port: this.#options.name, node: this.#options.node }, 'serial: open');
		this.#trouble = this.#silence?.trouble();
		if (!conversation.identified) return;
		if (this.#trouble) this.#gone(this.#trouble);
		else this.#parts.devices.connected(this.#name, undefined, 'serial');
	}

	/**
	 * Until the device has said who it is, it is asked again and again; where it may have to be asked in another way,
	 * that is tried next.
	 */
	#askWhoItIs(conversation: Conversation, everyMs: number, close: () => void): NodeJS.Timeout {
		let asked = 0;
		const ask = () => {
			if (conversation.identified) {
				asked = 0;
			} else if (asked++ >= ASKED_ONE_WAY && this.#options.ways.length > 1) {
				this.#way++;
				close();
			} else conversation.ask();
		};
		ask();
		return setInterval(ask, everyMs).unref();
	}

	#watchSilence(afterMs: number, close: () => void): NodeJS.Timeout {
		this.#silence ??= new Silence(afterMs, performance.now());
		const silence = this.#silence;
		return setInterval(() => {
			const now = performance.now();
			if (!silence.isTooLong(now)) return;
			silence.reopening(now);
			this.#options.counts.silences++;
			this.#say(silence.trouble() ?? 'nothing is heard of the device; the port is opened anew');
			close();
		}, afterMs / 4).unref();
	}

	/** Notes what is wrong with a port that is open, or that nothing is any more. */
	#say(trouble: string | undefined): void {
		if (this.#trouble === trouble) return;
		if (trouble) this.#parts.logger.warn({ port: this.#name }, `serial: ${trouble}`);
		else this.#parts.logger.info({ port: this.#name }, 'serial: it works again');
		this.#trouble = trouble;
		this.#parts.devices.troubled(this.#name, undefined, 'serial', trouble);
	}

	/** Notes why the device is not there. */
	#gone(reason: string): void {
		if (this.#trouble !== reason) this.#parts.logger.warn({ port: this.#name }, `serial: ${reason}`);
		this.#trouble = reason;
		this.#parts.devices.missing(this.#name, undefined, 'serial', reason);
	}
}
