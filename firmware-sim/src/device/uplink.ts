import type { Faults } from '../faults.ts';
import type { Connection, Link, Verdict } from '../links/link.ts';
import type { SimLogger } from '../logger.ts';
import type { DeviceReading } from '../reading.ts';
import { backOff, pause, type Retry } from './back-off.ts';
import { RingBuffer } from './ring-buffer.ts';

/** Options of an uplink, which delivers a device's readings to the gateway. */
export interface UplinkOptions {
	/** The most readings kept until they are acknowledged; beyond it the newest overwrites the oldest. */
	bufferSize: number;
	/** How long to wait for an answer before resending, ms; doubles with each try, up to four times as long. */
	ackTimeoutMs: number;
	/** Delays before reconnecting, and before resending a reading that the gateway could not accept. */
	retry: Retry;
	faults: Faults;
	logger: SimLogger;
	/** Called once for each reading whose acknowledgement arrived. */
	onAcknowledged: (reading: DeviceReading) => void;
}

/** `produced` = `acknowledged` + `refused` + `overwritten` + `pending`, always. */
export interface UplinkStats {
	/** Readings produced by the sensors. */
	produced: number;
	/** Messages sent, repetitions included. Faults act after this count: they may lose or duplicate a message. */
	sent: number;
	/** Repetitions among them. */
	resent: number;
	/** Readings that the gateway acknowledged. */
	acknowledged: number;
	/** Readings that the gateway will never accept. */
	refused: number;
	/** Readings overwritten by newer ones before an answer arrived; the gateway may have them nevertheless. */
	overwritten: number;
	/** Readings in the buffer, not answered yet. */
	pending: number;
	/** How often a connection was established. */
	connected: number;
}

interface Entry {
	reading: DeviceReading;
	attempts: number;
	/** Set while an answer is awaited. */
	timer?: NodeJS.Timeout | undefined;
}

/** One transmission of one entry. */
interface Attempt {
	id: number;
	number: number;
	reading: DeviceReading;
}

/** A connection without any answer for this many ack timeouts is considered dead. */
const DEAD_AFTER_TIMEOUTS = 3;

/**
 * Delivers a device's readings to the gateway:
 *
 *   put ─▶ ring buffer ─▶ window ─▶ faults ─▶ link
 *              ▲             │                  │
 *              └── later, no answer, line cut ──┘      acknowledged, refused: out of the buffer
 *
 * A reading leaves the buffer only when the gateway has answered it, or when a newer one overwrites it.
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
	/** When the oldest message without any answer since was sent (`performance.now`). */
	#unansweredSince: number | undefined;
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
		if (overwritten) this.#stopWaiting(overwritten);
		this.#pump();
	}

	/** Resolves when the buffer is empty, or when `signal` aborts. */
	drained(signal: AbortSignal): Promise<void> {
		return new Promise((resolve) => {
			if (this.#buffer.size === 0 || signal.aborted) return resolve();
			this.#onEmpty.push(resolve);
			signal.addEventListener('abort', () => resolve(), { once: true });
		});
	}

	/** Cuts the connection, as a restarting device does; the uplink reconnects by itself. */
	reconnect(): void {
		this.#connection?.cut('restarting');
	}

	/** Switches off. Unacknowledged readings stay in the buffer and count as pending. */
	async stop(): Promise<void> {
		this.#stopping.abort();
		clearTimeout(this.#wake);
		for (const [, entry] of this.#buffer.entries()) this.#stopWaiting(entry);
		await this.#connection?.close();
		await this.#running;
	}

	async #run(): Promise<void> {
		const { signal } = this.#stopping;
		while (!signal.aborted) {
			const reason = await this.#session(signal);
			if (signal.aborted) return;
			const ms = backOff(this.#connectFailures++, this.#options.retry);
			this.#options.logger.debug(
				{ transport: this.#link.transport, reason, ms },
				'no connection to the gateway; trying again',
			);
			await pause(ms, signal);
		}
	}

	/** One connection from opening to end. Resolves with the reason why it ended or could not be opened. */
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
		this.#unansweredSince = undefined;
		this.#connection = connection;
		this.#pump();
		const reason = await connection.closed;
		this.#connection = undefined;
		for (const [, entry] of this.#buffer.entries()) this.#stopWaiting(entry);
		return reason;
	}

	/** Sends waiting readings, oldest first, up to the link's window; sends nothing during a pause. */
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
		this.#unansweredSince ??= performance.now();
		if (entry.attempts > 1) this.#counts.resent++;
		const { ackTimeoutMs, faults } = this.#options;
		entry.timer = setTimeout(() => this.#onTimeout(entry), ackTimeoutMs * Math.min(4, 2 ** (entry.attempts - 1)));
		const attempt: Attempt = { id, number: entry.attempts, reading: entry.reading };
		for (const message of faults.onSend(attempt)) {
			connection.send(message.reading).then(
				(verdict) => this.#onVerdict(message, verdict),
				(error: Error) => this.#onVerdict(message, { outcome: 'later', reason: error.message }),
			);
		}
		if (faults.onSent()) connection.cut('unplugged');
	}

	#onVerdict({ id, number }: Attempt, verdict: Verdict): void {
		const entry = this.#buffer.get(id);
		if (!entry || this.#stopping.signal.aborted) return;
		this.#unansweredSince = undefined;
		if (verdict.outcome === 'later') {
			// An answer to an earlier try says nothing about the current one.
			if (entry.attempts !== number || !entry.timer) return;
			this.#stopWaiting(entry);
			this.#pauseFor(verdict);
		} else {
			this.#stopWaiting(entry);
			this.#buffer.delete(id);
			this.#counts[verdict.outcome]++;
			if (verdict.outcome === 'acknowledged') {
				this.#sendFailures = 0;
				this.#connectFailures = 0;
				this.#options.onAcknowledged(entry.reading);
			} else {
				this.#options.logger.warn(
					{ sensorId: entry.reading.sensorId, seq: entry.reading.seq, reason: verdict.reason },
					'the gateway refused a reading for good',
				);
			}
			if (this.#buffer.size === 0) for (const resolve of this.#onEmpty.splice(0)) resolve();
		}
		this.#pump();
	}

	#pauseFor({ reason, afterMs = 0 }: { reason: string; afterMs?: number }): void {
		const now = performance.now();
		// All readings in flight are refused at the same time; together they count as one failure.
		const ms = Math.max(afterMs, now < this.#pausedUntil ? 0 : backOff(this.#sendFailures++, this.#options.retry));
		this.#pausedUntil = Math.max(this.#pausedUntil, now + ms);
		this.#options.logger.debug({ reason, ms }, 'the gateway cannot accept readings now; sending again later');
	}

	#onTimeout(entry: Entry): void {
		this.#stopWaiting(entry);
		const silentMs = performance.now() - (this.#unansweredSince ?? Number.POSITIVE_INFINITY);
		if (silentMs >= DEAD_AFTER_TIMEOUTS * this.#options.ackTimeoutMs) this.#connection?.cut('no answer');
		this.#pump();
	}

	/** Stops waiting for an answer to this entry. */
	#stopWaiting(entry: Entry): void {
		if (!entry.timer) return;
		clearTimeout(entry.timer);
		entry.timer = undefined;
		this.#inFlight--;
	}
}
