import { join } from 'node:path';
import type { TimeQuality } from '@crowdvision/contracts';
import { CheckpointFile, type Log, type LogRecord } from '@crowdvision/log';
import type { Logger } from '@crowdvision/service-kit';
import type { ClockOptions } from './clock-config.ts';
import { type ClockState, validClockState } from './clock-state.ts';
import { type Era, Eras } from './eras.ts';
import type { TimeSource } from './time-source.ts';

/** No clock that is right shows less: this was written later. */
const WRITTEN = Date.UTC(2026, 0, 1);
/** What was known to be the time may have been wrong by so much. */
const NEWEST_MAY_ERR_MS = 60_000;
/** Two readings of two clocks are never taken at quite the same moment. */
const TOLERANCE_MS = 5;
/** Further back than this is no correction in passing. */
const STEP_MS = 1000;
/** While the system clock is behind us, and believed, ours goes at half its speed, so that no time is given twice. */
const SLEW = 0.5;
/** Further ahead than this we would be slow for too long: then the time steps back, once. */
const MOST_SLEWED_MS = 6 * 3600_000;
const CHECK_EVERY_MS = 1000;
const KEEP_EVERY_MS = 600_000;

/**
 * The gateway's own time: the system's clock, as long as it can be believed, and the monotonic clock from where it
 * could be. It never goes back by itself, whatever is done to the system's clock.
 *
 *   unsynced ── the clock arrives: what was received meanwhile is corrected ──▶ synced ◀── caught up with ── slewing ◀─┐
 *                                                                                 └── set back, unproven ─▶ holdover ──┘ proven, or long enough
 *
 * Unsynced is: the system shows a time before the newest ever known here, or itself still waits for one. What is
 * received then goes into an era (eras.ts), and is held back in the log until the clock arrives, or `waitForMs` are
 * over.
 */
export class Clock {
	readonly #source: TimeSource;
	readonly #options: ClockOptions;
	readonly #logger: Logger;
	readonly #file: CheckpointFile<ClockState>;
	readonly #eras: Eras;
	#newest = 0;
	#offset = 0;
	#era: Era | undefined;
	#holdoverSince: number | undefined;
	#slewing = false;
	/** While slewing: the monotonic clock at the last look, and how far we were ahead then. */
	#lookedAt = 0;
	#aheadThen = 0;
	/** Stamp of the system's last synchronization, as of the last look. */
	#proof: number | undefined;
	#waiting = false;
	#last = 0;
	#log: Log | undefined;
	#holding = false;
	#timer: NodeJS.Timeout | undefined;
	#keptAt = 0;

	private constructor(
		source: TimeSource,
		options: ClockOptions,
		logger: Logger,
		file: CheckpointFile<ClockState>,
		eras: Eras,
	) {
		this.#source = source;
		this.#options = options;
		this.#logger = logger;
		this.#file = file;
		this.#eras = eras;
	}

	/**
	 * Reads the clock's file in `dir` and looks at the system's clock.
	 * @param dir the gateway's folder, which must exist
	 */
	static open(dir: string, source: TimeSource, options: ClockOptions, logger: Logger): Clock {
		const file = new CheckpointFile<ClockState>(join(dir, 'clock'));
		const kept = validClockState(file.read().value);
		const clock = new Clock(source, options, logger, file, new Eras(kept?.eras ?? []));
		clock.#goOn(kept);
		return clock;
	}

	/** Decides where our time stands at the start, and whether it is known. */
	#goOn(kept: ClockState | undefined): void {
		const source = this.#source;
		this.#newest = kept?.newest ?? 0;
		const evidence = source.evidence();
		this.#waiting = evidence.kind === 'waiting';
		this.#proof = evidence.kind === 'synchronized' ? evidence.stamp : undefined;

		const { wall, monotonic } = this.#read();
		const sameBoot = kept !== undefined && source.boot !== undefined && kept.boot === source.boot;
		const open = this.#eras.current;
		this.#offset = wall - monotonic;
		if (open && sameBoot && open.boot === source.boot) {
			this.#era = open;
			this.#offset = open.offset;
		} else if (sameBoot) {
			// We ran before on this same clock: it is as if we had gone on.
			if (kept.offset + monotonic - wall > STEP_MS) {
				this.#offset = kept.offset;
				this.#holdoverSince = kept.holdoverSince ?? monotonic;
			}
		} else if (this.#waiting || !this.#canBe(wall)) {
			this.#offset = Math.max(wall, WRITTEN, this.#newest) - monotonic;
			this.#era = { number: 0, boot: source.boot, offset: this.#offset, begun: monotonic, from: 0 };
		}
	}

	/** Epoch ms. Never less than before, but for the one step that `quality` then tells of. */
	now(): number {
		let time = this.#source.wall();
		if (
			this.#era ||
			this.#holdoverSince !== undefined ||
			this.#slewing ||
			Math.abs(this.#source.monotonic() + this.#offset - time) >= TOLERANCE_MS
		) {
			const { wall, monotonic } = this.#read();
			this.#adjust(wall, monotonic, monotonic + this.#offset - wall);
			time = Math.floor(monotonic + this.#offset);
		}
		if (time > this.#last) this.#last = time;
		return this.#last;
	}

	/** How far `now` can be trusted. */
	get quality(): TimeQuality {
		if (this.#era) return 'unsynced';
		return this.#holdoverSince === undefined ? 'synced' : 'holdover';
	}

	/** Number of the era that what is received now belongs to; undefined while the time is known. */
	get era(): number | undefined {
		return this.#era?.number;
	}

	/** Where readers of the log have to stop, as far as that is known before it is open. */
	get heldFrom(): number | undefined {
		return this.#era && this.#era.number > 0 && this.#stillHolds(this.#era) ? this.#era.from : undefined;
	}

	/** How far the gateway's time is ahead of the system's, ms. */
	get ahead(): number {
		const { wall, monotonic } = this.#read();
		return monotonic + this.#offset - wall;
	}

	/** For the log: gives a reading that was received while the time was not known its times, on its way to a reader. */
	amend(record: LogRecord): void {
		this.#eras.amend(record);
	}

	/**
	 * Begins to keep the time of what goes into `log`, before anything does. @throws when the clock's state cannot be
	 * written.
	 */
	begin(log: Log): void {
		this.#log = log;
		this.#eras.forgetBefore(log.startOffset);
		const open = this.#eras.current;
		// Of another start of the machine: nobody will ever know.
		if (open && open.number !== this.#era?.number) open.to = log.nextOffset;
		if (this.#era?.number === 0) {
			const { number: _none, ...era } = this.#era;
			this.#era = this.#eras.begin({ ...era, from: log.nextOffset });
		}
		if (this.#era && this.#stillHolds(this.#era)) {
			this.#holding = true;
			log.holdFrom(this.#era.from);
		}
		if (this.#era)
			this.#logger.warn(
				{ holding: this.#holding },
				'clock: the time is not known yet; what is received now is corrected when it is',
			);
		// Before the first reading bears the number of an era, the era must be there after a crash.
		this.#file.writeSync(this.#kept());
		this.#keptAt = this.#source.monotonic();
		this.#timer = setInterval(() => this.check(), CHECK_EVERY_MS).unref();
		this.check();
	}

	/** Looks at what the system says of its clock; called every second. */
	check(): void {
		const evidence = this.#source.evidence();
		const { wall, monotonic } = this.#read();
		this.#waiting = evidence.kind === 'waiting';
		const stamp = evidence.kind === 'synchronized' ? evidence.stamp : undefined;
		const proven = stamp !== undefined && stamp !== this.#proof;
		if (this.#era) this.#proof = stamp;
		this.now();
		this.#proof = stamp;
		if (this.#era) {
			if (this.#holding && !this.#stillHolds(this.#era)) {
				this.#logger.warn('clock: the time is still not known; what was held back goes out as unsynced');
				this.#letGo();
			}
		} else if (this.#holdoverSince !== undefined && !this.#slewing) {
			const longEnough = monotonic - this.#holdoverSince >= this.#options.holdoverMs && wall >= WRITTEN;
			if (proven || longEnough) this.#believe(wall, monotonic);
		}
		if (monotonic - this.#keptAt >= KEEP_EVERY_MS) this.#keep();
	}

	/** Call it when nothing is appended any more. */
	async close(): Promise<void> {
		clearInterval(this.#timer);
		if (this.#log) this.#keep();
		await this.#file.settled();
	}

	/** The system's clock is not where ours is, or ours is not known to be right. */
	#adjust(wall: number, monotonic: number, ahead: number): void {
		if (this.#era) {
			if (!this.#waiting && this.#canBe(wall)) this.#arrive(this.#era, wall, monotonic);
			// What was taken for the newest time known may have been wrong.
			else if (!this.#waiting && wall >= WRITTEN && monotonic - this.#era.begun >= this.#options.holdoverMs)
				this.#arrive(this.#era, wall, monotonic);
			return;
		}
		if (ahead < TOLERANCE_MS) {
			if (ahead < -STEP_MS) this.#logger.warn({ ms: Math.round(-ahead) }, 'clock: the system clock was set forward');
			this.#offset = wall - monotonic;
			this.#slewing = false;
			this.#leaveHoldover();
			return;
		}
		const setBackAgain = this.#slewing && ahead >= this.#aheadThen + STEP_MS;
		if (setBackAgain || (!this.#slewing && this.#holdoverSince === undefined)) {
			if (ahead >= STEP_MS) {
				this.#slewing = false;
				this.#logger.warn(
					{ ms: Math.round(ahead) },
					'clock: the system clock was set back; going by our own until it is proven right',
				);
				this.#holdoverSince = monotonic;
				this.#keep();
				const evidence = this.#source.evidence();
				if (evidence.kind === 'synchronized' && evidence.stamp !== this.#proof) this.#believe(wall, monotonic);
				return;
			}
			this.#slew(monotonic, ahead);
		}
		if (!this.#slewing) return;
		const gained = Math.min(ahead, (monotonic - this.#lookedAt) * SLEW);
		this.#offset -= gained;
		this.#slew(monotonic, ahead - gained);
		if (ahead - gained < STEP_MS) this.#leaveHoldover();
	}

	/** What the system's clock shows is right, although we are ahead of it. */
	#believe(wall: number, monotonic: number): void {
		const ahead = monotonic + this.#offset - wall;
		this.#newest = Math.min(this.#newest, wall);
		if (ahead <= MOST_SLEWED_MS) {
			this.#logger.warn(
				{ ms: Math.round(ahead) },
				'clock: the system clock is believed again; ours goes slowly until it is caught up with',
			);
			this.#slew(monotonic, ahead);
			return;
		}
		this.#logger.error({ ms: Math.round(ahead) }, 'clock: the time steps back, it was too far ahead');
		this.#offset = wall - monotonic;
		this.#last = 0;
		this.#leaveHoldover();
	}

	#slew(monotonic: number, ahead: number): void {
		this.#slewing = true;
		this.#lookedAt = monotonic;
		this.#aheadThen = ahead;
	}

	#leaveHoldover(): void {
		if (this.#holdoverSince === undefined) return;
		this.#holdoverSince = undefined;
		this.#keep();
	}

	/**
	 * The time is known, and with it that of everything since the era began. Readers see that once it is certain that
	 * they will see the same after a crash.
	 */
	#arrive(era: Era, wall: number, monotonic: number): void {
		era.delta = wall - monotonic - this.#offset;
		era.to = this.#log?.nextOffset ?? era.from;
		this.#offset = wall - monotonic;
		this.#newest = Math.min(this.#newest, wall);
		this.#era = undefined;
		this.#last = 0;
		this.#logger.warn({ ms: Math.round(era.delta), readings: era.to - era.from }, 'clock: the time is known now');
		const letGo = () => this.#letGo();
		this.#keep().then(letGo, letGo);
	}

	#letGo(): void {
		if (!this.#holding) return;
		this.#holding = false;
		this.#log?.letGo();
	}

	#stillHolds(era: Era): boolean {
		return this.#source.monotonic() - era.begun < this.#options.waitForMs;
	}

	#canBe(wall: number): boolean {
		return wall >= (this.#proof === undefined ? Math.max(WRITTEN, this.#newest - NEWEST_MAY_ERR_MS) : WRITTEN);
	}

	#kept(): ClockState {
		if (!this.#era) this.#newest = Math.max(this.#newest, this.now());
		const { boot } = this.#source;
		return {
			newest: this.#newest,
			boot,
			offset: this.#offset,
			holdoverSince: this.#holdoverSince,
			eras: this.#eras.all,
		};
	}

	/** Rejects when it could not be written; nobody need wait for it. */
	#keep(): Promise<void> {
		this.#keptAt = this.#source.monotonic();
		return this.#file.write(this.#kept());
	}

	/** Both clocks, as close to each other as they can be had: the process may be interrupted in between. */
	#read(): { wall: number; monotonic: number } {
		let monotonic = this.#source.monotonic();
		for (let attempt = 0; ; attempt++) {
			const wall = this.#source.wall();
			const after = this.#source.monotonic();
			if (after - monotonic < 1 || attempt === 3) return { wall, monotonic: after };
			monotonic = after;
		}
	}
}
