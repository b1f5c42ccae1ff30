import type { Faults } from '../faults.ts';
import type { Connection, Link, Verdict } from '../links/link.ts';
import type { SimLogger } from '../logger.ts';
import type { DeviceReading } from '../reading.ts';
import { backOff, pause, type Retry } from './back-off.ts';
import { RingBuffer } from './ring-buffer.ts';

export interface UplinkOptions {
	/** Readings kept until they are acknowledged; the oldest gives way to the newest. */
	bufferSize: number;
	/** How long to wait for an answer before sending again; up to four times as long after several tries. */
	ackTimeoutMs: number;
	/** Pauses before reconnecting, and before sending again what the gateway could not take. */
	retry: Retry;
	faults: Faults;
	logger: SimLogger;
	/** Called once for each reading whose acknowledgement arrived. */
	onAcknowledged: (reading: DeviceReading) => void;
}

/** `produced` = `acknowledged` + `refused` + `overwritten` + `pending`, always. */
export interface UplinkStats {
	/** Readings handed over by the sensors. */
	produced: number;
	/**
	 * Messages put on the wire by this device's program, repetitions included; a fault may still have lost or doubled
	 * them.
	 */
	sent: number;
	/** Of those, repetitions. */
	resent: number;
	/** The gateway said that it has them. */
	acknowledged: number;
	/** The gateway said that it will never take them. */
	refused: number;
	/** Gave way to newer ones before an answer came; the gateway may have them all the same. */
	overwritten: number;
	/** In the buffer, without an answer so far. */
	pending: number;
	/** How often a connection was made. */
	connected: number;
}

interface Entry {
	reading: DeviceReading;
	attempts: number;
	/** Runs while an answer is awaited. */
	timer?: NodeJS.Timeout | undefined;
}

/** One transmission of one entry. */
interface Attempt {
	id: number;
	number: number;
	reading: DeviceReading;
}

/** A connection on which nothing was answered for so many ack timeouts is dead. */
const SILENCE = 3;

/**
 * The part of a device's program that gets readings through:
 *
 *   put ─▶ ring buffer ─▶ window ─▶ faults ─▶ link
 *              ▲             │                  │
 *              └── later, no answer, line cut ──┘      acknowledged, refused: out of the buffer
 *
 * Nothing leaves the buffer before the gateway has answered for it.
 */
export class Uplink {
	readonly #link: Link;
	readonly #options: UplinkOptions;
	readonly #buffer: RingBuffer<Entry>;
	readonly #stopping = new AbortController();
	readonly #counts = { produced: 0, sent: 0, resent: 0, acknowledged: 0, refused: 0, connected: 0 };
	#running: Promise<void> | undefined;
	#connection: Connection | undefined;
	#inFlight = 0;
	#connectFailures = 0;
	#sendFailures = 0;
	/** When the first message was sent after which nothing was heard. */
	#askedAt: number | undefined;
	#pausedUntil = 0;
	#wake: NodeJS.Timeout | undefined;
	#onEmpty: (() => void)[] = [];

	constructor(link: Link, options: UplinkOptions) {
		this.#link = link;
		this.#options = options;
		this.#buffer = new RingBuffer(options.bufferSize);
	}

	stats(): UplinkStats {
		return { ...this.#counts, overwritten: this.#buffer.overwritten, pending: this.#buffer.size };
	}

	start(): void {
		this.#running ??= this.#run();
	}

	put(reading: DeviceReading): void {
		this.#counts.produced++;
		const { overwritten } = this.#buffer.push({ reading, attempts: 0 });
		if (overwritten) this.#release(overwritten);
		this.#pump();
	}

	/** Resolves when the buffer is empty, or `signal` aborts. */
	drained(signal: AbortSignal): Promise<void> {
		return new Promise((resolve) => {
			if (this.#buffer.size === 0 || signal.aborted) return resolve();
			this.#onEmpty.push(resolve);
			signal.addEventListener('abort', () => resolve(), { once: true });
		});
	}

	/** Ends the connection, as a device that restarts does; it comes back by itself. */
	reconnect(): void {
		this.#connection?.cut('restarting');
	}

	/** Switches off; what is not acknowledged yet stays in the buffer, and counts as pending. */
	async stop(): Promise<void> {
		this.#stopping.abort();
		clearTimeout(this.#wake);
		for (const [, entry] of this.#buffer.entries()) this.#release(entry);
		await this.#connection?.close();
		await this.#running;
	}

	async #run(): Promise<void> {
		const { signal } = this.#stopping;
		while (!signal.aborted) {
			const reason = await this.#session(signal);
			if (signal.aborted) return;
			const ms = backOff(this.#connectFailures++, this.#options.retry);
			this.#options.logger.debug({ transport: this.#link.transport, reason, ms }, 'not connected; trying again');
			await pause(ms, signal);
		}
	}

	/** One connection, from opening to its end; resolves with the reason it ended for, or did not come about. */
	async #session(signal: AbortSignal): Promise<string> {
		let connection: Connection;
		try {
			connection = await this.#link.open(signal);
		} catch (error) {
			return (error as Error).message;
		}
		if (signal.aborted) {
			await connection.close();
			return 'switched off';
		}
		this.#counts.connected++;
		this.#askedAt = undefined;
		this.#connection = connection;
		this.#pump();
		const reason = await connection.closed;
		this.#connection = undefined;
		for (const [, entry] of this.#buffer.entries()) this.#release(entry);
		return reason;
	}

	/** Sends what may be sent now: oldest first, no more at once than the link takes, and nothing during a pause. */
	#pump(): void {
		const wait = this.#pausedUntil - performance.now();
		if (wait > 0) {
			clearTimeout(this.#wake);
			this.#wake = setTimeout(() => this.#pump(), wait);
			return;
		}
		for (const [id, entry] of this.#buffer.entries()) {
			if (
				!this.#connection ||
				this.#stopping.signal.aborted ||
				this.#inFlight >= this.#link.window ||
				this.#pausedUntil > performance.now()
			)
				return;
			if (!entry.timer) this.#transmit(this.#connection, id, entry);
		}
	}

	#transmit(connection: Connection, id: number, entry: Entry): void {
		entry.attempts++;
		this.#inFlight++;
		this.#counts.sent++;
		this.#askedAt ??= performance.now();
		if (entry.attempts > 1) this.#counts.resent++;
		const { ackTimeoutMs, faults } = this.#options;
		entry.timer = setTimeout(() => this.#onTimeout(entry), ackTimeoutMs * Math.min(4, 2 ** (entry.attempts - 1)));
		const attempt: Attempt = { id, number: entry.attempts, reading: entry.reading };
		for (const message of faults.onSend(attempt)) {
			connection.send(message.reading).then(
				(verdict) => this.#settle(message, verdict),
				(error: Error) => this.#settle(message, { outcome: 'later', reason: error.message }),
			);
		}
		if (faults.onSent()) connection.cut('unplugged');
	}

	#settle({ id, number }: Attempt, verdict: Verdict): void {
		const entry = this.#buffer.get(id);
		if (!entry || this.#stopping.signal.aborted) return;
		this.#askedAt = undefined;
		if (verdict.outcome === 'later') {
			// The answer to an earlier try says nothing about the one that is under way.
			if (entry.attempts !== number || !entry.timer) return;
			this.#release(entry);
			this.#pauseFor(verdict);
		} else {
			this.#release(entry);
			this.#buffer.delete(id);
			this.#counts[verdict.outcome]++;
			if (verdict.outcome === 'acknowledged') {
				this.#sendFailures = 0;
				this.#connectFailures = 0;
				this.#options.onAcknowledged(entry.reading);
			} else {
				this.#options.logger.warn(
					{ sensorId: entry.reading.sensorId, seq: entry.reading.seq, reason: verdict.reason },
					'refused for good',
				);
			}
			if (this.#buffer.size === 0) for (const resolve of this.#onEmpty.splice(0)) resolve();
		}
		this.#pump();
	}

	#pauseFor({ reason, afterMs = 0 }: { reason: string; afterMs?: number }): void {
		const now = performance.now();
		// All that was in flight is sent back at once; that is one failure.
		const ms = Math.max(afterMs, now < this.#pausedUntil ? 0 : backOff(this.#sendFailures++, this.#options.retry));
		this.#pausedUntil = Math.max(this.#pausedUntil, now + ms);
		this.#options.logger.debug({ reason, ms }, 'not taken; sending again later');
	}

	#onTimeout(entry: Entry): void {
		this.#release(entry);
		const silentMs = performance.now() - (this.#askedAt ?? Number.POSITIVE_INFINITY);
		if (silentMs >= SILENCE * this.#options.ackTimeoutMs) this.#connection?.cut('no answer');
		this.#pump();
	}

	/** No longer awaits an answer to this entry. */
	#release(entry: Entry): void {
		if (!entry.timer) return;
		clearTimeout(entry.timer);
		entry.timer = undefined;
		this.#inFlight--;
	}
}
