/** The gateway's own time, and how far it can be trusted. */
import { join } from 'node:path';
import type { TimeQuality } from '@crowdvision/contracts';
import { CheckpointFile, type Log, type LogRecord } from '@crowdvision/log';
import type { Logger } from '@crowdvision/service-kit';
import type { ClockOptions } from './clock-config.ts';
import { type ClockState, validClockState } from './clock-state.ts';
import { type Era, Eras } from './eras.ts';
import { readClocks, type TimeSource } from './time-source.ts';

/** A clock that shows an earlier time is wrong, as the software is newer. */
const EARLIEST_TIME = Date.UTC(2026, 0, 1);
/** How far the newest known time may have been wrong. */
const NEWEST_TOLERANCE_MS = 60_000;
/** Allowed difference of the clocks, as they are never read at exactly the same moment. */
const TOLERANCE_MS = 5;
/** A clock that moves back by more than this was set, and not just adjusted. */
const STEP_MS = 1000;
/** While our time is ahead of an accepted system clock it runs at half speed, so that no time is returned twice. */
const SLEW = 0.5;
/** If our time is ahead by more than this, slewing would take too long, and the time steps back once. */
const MAX_SLEW_MS = 6 * 3600_000;
const CHECK_EVERY_MS = 1000;
const SAVE_EVERY_MS = 600_000;

/**
 * The gateway's own time: the system clock while it can be trusted, and otherwise the monotonic clock, continued from
 * the last trusted time. It does not go back when the system clock is changed.
 *
 *   unsynced ── the time becomes known: readings are corrected ──▶ synced ◀── caught up ── slewing ◀──┐
 *                                                                    │                                │
 *                                                                    └─ set back ─▶ holdover ─────────┘
 *                                                                          proven right, or `holdoverMs` over
 *
 * Unsynced: the system shows a time before the newest one known here, or itself waits for its time. Readings received
 * then belong to an era (eras.ts) and are held back in the log until the time is known or `waitForMs` are over.
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
	/** While slewing: the monotonic clock at the last check, and how far our time was ahead then. */
	#checkedAt = 0;
	#aheadAtCheck = 0;
	/** Stamp of the system's last synchronization, as of the last check. */
	#proof: number | undefined;
	/** Whether the system waits for its time. */
	#waiting = false;
	/** The last time returned by `now`. */
	#last = 0;
	#log: Log | undefined;
	/** Whether readings are held back in the log. */
	#holding = false;
	#timer: NodeJS.Timeout | undefined;
	#savedAt = 0;

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
	 * Reads the clock's file in `dir` and the system clock.
	 * @param dir the gateway's folder, which must exist
	 */
	static open(dir: string, source: TimeSource, options: ClockOptions, logger: Logger): Clock {
		const file = new CheckpointFile<ClockState>(join(dir, 'clock'));
		const state = validClockState(file.read().value);
		const clock = new Clock(source, options, logger, file, new Eras(state?.eras ?? []));
		clock.#resume(state);
		return clock;
	}

	/** Decides at the start which time it is, and whether that is known. */
	#resume(state: ClockState | undefined): void {
		const source = this.#source;
		this.#newest = state?.newest ?? 0;
		const evidence = source.evidence();
		this.#waiting = evidence.kind === 'waiting';
		this.#proof = evidence.kind === 'synchronized' ? evidence.stamp : undefined;

		const { wall, monotonic } = readClocks(this.#source);
		const sameBoot = state !== undefined && source.boot !== undefined && state.boot === source.boot;
		const open = this.#eras.current;
		this.#offset = wall - monotonic;
		if (open && sameBoot && open.boot === source.boot) {
			this.#era = open;
			this.#offset = open.offset;
		} else if (sameBoot) {
			// The machine has not restarted, so the clock continues as if the process had not ended.
			if (state.offset + monotonic - wall > STEP_MS) {
				this.#offset = state.offset;
				this.#holdoverSince = state.holdoverSince ?? monotonic;
			}
		} else if (this.#waiting || !this.#isPossible(wall)) {
			this.#offset = Math.max(wall, EARLIEST_TIME, this.#newest) - monotonic;
			this.#era = { number: 0, boot: source.boot, offset: this.#offset, begun: monotonic, from: 0 };
		}
	}

	/**
	 * Epoch ms. Never less than before, except for a single step back (see `MAX_SLEW_MS`) and when the time becomes
	 * known.
	 */
	now(): number {
		let time = this.#source.wall();
		if (
			this.#era ||
			this.#holdoverSince !== undefined ||
			this.#slewing ||
			Math.abs(this.#source.monotonic() + this.#offset - time) >= TOLERANCE_MS
		) {
			const { wall, monotonic } = readClocks(this.#source);
			this.#adjust(wall, monotonic, monotonic + this.#offset - wall);
			time = Math.floor(monotonic + this.#offset);
		}
		if (time > this.#last) this.#last = time;
		return this.#last;
	}

	/** How far `now` can be trusted: `synced`, `holdover` or `unsynced`. */
	get quality(): TimeQuality {
		if (this.#era) return 'unsynced';
		return this.#holdoverSince === undefined ? 'synced' : 'holdover';
	}

	/** Number of the era of readings that are received now; undefined while the time is known. */
	get era(): number | undefined {
		return this.#era?.number;
	}

	/** The log offset from which readings are held back, as far as that is known before the log is open. */
	get heldFrom(): number | undefined {
		return this.#era && this.#era.number > 0 && this.#holdsBack(this.#era) ? this.#era.from : undefined;
	}

	/** How far the gateway's time is ahead of the system clock, in ms. */
	get ahead(): number {
		const { wall, monotonic } = readClocks(this.#source);
		return monotonic + this.#offset - wall;
	}

	/**
	 * Corrects the times of a reading that was received while the time was unknown. The log calls it for each record
	 * read.
	 */
	amend(record: LogRecord): void {
		this.#eras.amend(record);
	}

	/** Whether `amend` may change the reading at this offset. */
	mayAmend(offset: number): boolean {
		return this.#eras.mayAmend(offset);
	}

	/**
	 * Starts to manage the times of the readings in `log`. Call it before the first append.
	 * @throws if the clock's file cannot be written
	 */
	attach(log: Log): void {
		this.#log = log;
		this.#eras.forgetBefore(log.startOffset);
		const open = this.#eras.current;
		// An era of an earlier boot: its times can no longer be determined.
		if (open && open.number !== this.#era?.number) open.to = log.nextOffset;
		if (this.#era?.number === 0) {
			const { number: _none, ...era } = this.#era;
			this.#era = this.#eras.begin({ ...era, from: log.nextOffset });
		}
		if (this.#era && this.#holdsBack(this.#era)) {
			this.#holding = true;
			log.holdFrom(this.#era.from);
		}
		if (this.#era)
			this.#logger.warn(
				{ holding: this.#holding },
				'clock: the time is not known yet; readings received now are corrected when it is',
			);
		// The era must be on disk before the first reading with its number is stored.
		this.#file.writeSync(this.#state());
		this.#savedAt = this.#source.monotonic();
		this.#timer = setInterval(() => this.check(), CHECK_EVERY_MS).unref();
		this.check();
	}

	/** Checks the system clock and whether it is synchronized; called every second. */
	check(): void {
		const evidence = this.#source.evidence();
		const { wall, monotonic } = readClocks(this.#source);
		this.#waiting = evidence.kind === 'waiting';
		const stamp = evidence.kind === 'synchronized' ? evidence.stamp : undefined;
		const proven = stamp !== undefined && stamp !== this.#proof;
		if (this.#era) this.#proof = stamp;
		this.now();
		this.#proof = stamp;
		if (this.#era) {
			if (this.#holding && !this.#holdsBack(this.#era)) {
				this.#logger.warn('clock: the time is still not known; readings that were held back are sent as unsynced');
				this.#release();
			}
		} else if (this.#holdoverSince !== undefined && !this.#slewing) {
			const longEnough = monotonic - this.#holdoverSince >= this.#options.holdoverMs && wall >= EARLIEST_TIME;
			if (proven || longEnough) this.#acceptSystemClock(wall, monotonic);
		}
		if (monotonic - this.#savedAt >= SAVE_EVERY_MS) this.#save();
	}

	/** Stops and writes the state. Call it after the last append to the log. */
	async close(): Promise<void> {
		clearInterval(this.#timer);
		if (this.#log) this.#save();
		await this.#file.settled();
	}

	/** Handles a difference between the system clock and our time, or a time that is not known. `ahead` in ms. */
	#adjust(wall: number, monotonic: number, ahead: number): void {
		if (this.#era) {
			if (!this.#waiting && this.#isPossible(wall)) this.#endEra(this.#era, wall, monotonic);
			// The newest known time may itself have been wrong.
			else if (!this.#waiting && wall >= EARLIEST_TIME && monotonic - this.#era.begun >= this.#options.holdoverMs)
				this.#endEra(this.#era, wall, monotonic);
			return;
		}
		if (ahead < TOLERANCE_MS) {
			if (ahead < -STEP_MS) this.#logger.warn({ ms: Math.round(-ahead) }, 'clock: the system clock was set forward');
			this.#offset = wall - monotonic;
			this.#slewing = false;
			this.#leaveHoldover();
			return;
		}
		const setBackAgain = this.#slewing && ahead >= this.#aheadAtCheck + STEP_MS;
		if (setBackAgain || (!this.#slewing && this.#holdoverSince === undefined)) {
			if (ahead >= STEP_MS) {
				this.#slewing = false;
				this.#logger.warn(
					{ ms: Math.round(ahead) },
					'clock: the system clock was set back; the gateway keeps its own time until that is proven right',
				);
				this.#holdoverSince = monotonic;
				this.#save();
				const evidence = this.#source.evidence();
				if (evidence.kind === 'synchronized' && evidence.stamp !== this.#proof)
					this.#acceptSystemClock(wall, monotonic);
				return;
			}
			this.#slew(monotonic, ahead);
		}
		if (!this.#slewing) return;
		const gained = Math.min(ahead, (monotonic - this.#checkedAt) * SLEW);
		this.#offset -= gained;
		this.#slew(monotonic, ahead - gained);
		if (ahead - gained < STEP_MS) this.#leaveHoldover();
	}

	/** Accepts the system clock as right although our time is ahead of it: slews towards it, or steps back. */
	#acceptSystemClock(wall: number, monotonic: number): void {
		const ahead = monotonic + this.#offset - wall;
		this.#newest = Math.min(this.#newest, wall);
		if (ahead <= MAX_SLEW_MS) {
			this.#logger.warn(
				{ ms: Math.round(ahead) },
				"clock: the system clock is accepted again; the gateway's time runs at half speed until it has caught up",
			);
			this.#slew(monotonic, ahead);
			return;
		}
		this.#logger.error({ ms: Math.round(ahead) }, 'clock: the time steps back, as it was too far ahead');
		this.#offset = wall - monotonic;
		this.#last = 0;
		this.#leaveHoldover();
	}

	#slew(monotonic: number, ahead: number): void {
		this.#slewing = true;
		this.#checkedAt = monotonic;
		this.#aheadAtCheck = ahead;
	}

	#leaveHoldover(): void {
		if (this.#holdoverSince === undefined) return;
		this.#holdoverSince = undefined;
		this.#save();
	}

	/**
	 * Ends an era: the time is known now, and with it the times of all readings of the era. Readers see them once the
	 * correction is on disk, so that it is the same after a crash.
	 */
	#endEra(era: Era, wall: number, monotonic: number): void {
		era.delta = wall - monotonic - this.#offset;
		era.to = this.#log?.nextOffset ?? era.from;
		this.#offset = wall - monotonic;
		this.#newest = Math.min(this.#newest, wall);
		this.#era = undefined;
		this.#last = 0;
		this.#logger.warn({ ms: Math.round(era.delta), readings: era.to - era.from }, 'clock: the time is known now');
		const release = () => this.#release();
		this.#save().then(release, release);
	}

	#release(): void {
		if (!this.#holding) return;
		this.#holding = false;
		this.#log?.release();
	}

	#holdsBack(era: Era): boolean {
		return this.#source.monotonic() - era.begun < this.#options.waitForMs;
	}

	#isPossible(wall: number): boolean {
		return (
			wall >= (this.#proof === undefined ? Math.max(EARLIEST_TIME, this.#newest - NEWEST_TOLERANCE_MS) : EARLIEST_TIME)
		);
	}

	#state(): ClockState {
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

	/** Writes the state. Rejects if the write fails; a rejection that nobody handles does no harm. */
	#save(): Promise<void> {
		this.#savedAt = this.#source.monotonic();
		return this.#file.write(this.#state());
	}
}
