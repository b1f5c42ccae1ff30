import { randomUUID } from 'node:crypto';
import { type Bus, type BusEntry, START, type Subscription } from '@crowdvision/bus';
import {
	type Command,
	type CommandAnswer,
	type CommandOutcome,
	type CommandResult,
	CrowdVisionError,
	STREAMS,
} from '@crowdvision/contracts';
import { backOff, type Logger, pause } from '@crowdvision/service-kit';
import { RateLimit } from '../limits/rate-limit.ts';
import type { CommandBook } from './command-book.ts';
import { Deliveries } from './deliveries.ts';
import type { DownlinkConfig } from './downlink-config.ts';
import type { Lines } from './lines.ts';
import { Outcomes } from './outcomes.ts';
import { problemOf, readCommand } from './read-command.ts';
import { Shares } from './shares.ts';

/** Older commands were decided when they were due; the bus does not know any more by whom. Less than it remembers. */
const OLDEST_MS = 6 * 24 * 3600_000;
const LONGEST_DETAIL = 1024;

export interface DownlinkParts {
	book: CommandBook;
	lines: Lines;
	/** Whose sensor it is: top-level domains share what may be under way. Undefined where nobody knows. */
	domainOf(sensorId: string): string | undefined;
	/** Without it, commands come over HTTP only, and their outcomes stay here. */
	bus: Bus | undefined;
	/** Whether other gateways may be on the same bus. */
	shared: boolean;
	config: Required<DownlinkConfig>;
	/** Epoch ms. */
	now(): number;
	/** Whether that is the time, as far as anybody can tell. */
	knowsTime(): boolean;
	logger: Logger;
}

/**
 * Commands to devices, each with exactly one outcome:
 *
 *   stream commands ─┐                                  ┌─ executed | failed: the device's answer
 *   HTTP ────────────┴▶ book (durable) ─▶ line ─▶ device┤
 *                                                       └─ expired: nobody answered by the deadline
 *   outcome ─▶ book (durable) ─▶ stream command-results, the first under the command's id only
 *
 * Every gateway on a bus reads every command, and sends it if the device is connected here, or comes before the
 * deadline; after it nothing is sent. A command that is sent again (the device came back, this process did) is the same
 * to the device by its id.
 */
export class Downlink {
	readonly #book: CommandBook;
	readonly #lines: Lines;
	readonly #bus: Bus | undefined;
	readonly #outcomes: Outcomes | undefined;
	readonly #now: () => number;
	/**
	 * What a gateway says of a command counts for all on the bus: one whose clock may be wrong leaves those to the others
	 * that it has no line for.
	 */
	readonly #isSure: (sensorId: string) => boolean;
	readonly #deliveries: Deliveries;
	readonly #shares: Shares;
	readonly #config: Required<DownlinkConfig>;
	readonly #shared: boolean;
	readonly #logger: Logger;
	readonly #rate: RateLimit;
	readonly #waiting = new Map<string, ((result: CommandResult) => void)[]>();
	readonly #stopping = new AbortController();
	readonly #counts = { executed: 0, failed: 0, expired: 0, late: 0, superseded: 0, invalid: 0 };
	#onRoom: (() => void)[] = [];
	#tail: Subscription | undefined;

	constructor(parts: DownlinkParts) {
		this.#book = parts.book;
		this.#lines = parts.lines;
		this.#bus = parts.bus;
		this.#now = parts.now;
		this.#isSure = (sensorId) => !parts.shared || parts.knowsTime() || parts.lines.of(sensorId) !== undefined;
		this.#deliveries = new Deliveries({
			...parts,
			isSure: this.#isSure,
			answered: (sensorId, answer) => void this.answered(sensorId, answer),
			expired: (command, reason) => void this.#end(command, 'expired', reason),
		});
		this.#config = parts.config;
		this.#shared = parts.shared;
		this.#shares = new Shares(parts.config, parts.domainOf);
		this.#logger = parts.logger;
		this.#rate = new RateLimit(parts.config.perSecond);
		this.#outcomes = parts.bus && new Outcomes(parts.bus, parts.logger);
	}

	/** Takes up what was under way, and follows the bus. Devices may be on their lines already. */
	async start(): Promise<void> {
		await this.#outcomes?.follow((result) => this.#heard(result));
		for (const result of this.#book.untold()) this.#tell(result);
		for (const command of this.#book.underWay()) this.#deliveries.begin(command, true);
		this.#lines.follow((sensorId) => this.#deliveries.resume(sensorId));
		this.#tail = await this.#bus?.tail(
			STREAMS.commands,
			this.#book.position ?? START,
			(entries) => this.#takeAll(entries),
			(gap) => this.#logger.warn({ gap }, 'commands were given up by the bus before this gateway saw them'),
		);
	}

	/** What is under way stays so; the next start takes it up. */
	async stop(): Promise<void> {
		this.#stopping.abort();
		this.#roomAgain();
		await this.#tail?.close();
		await this.#outcomes?.close();
		this.#deliveries.stop();
		await this.#book.settled();
	}

	/** Commands without an outcome here. */
	get underWay(): number {
		return this.#book.size;
	}

	/**
	 * Outcomes said, and what was no outcome: `late` answers, and those for which another gateway was first. Since the
	 * start.
	 */
	get counts(): Readonly<Record<CommandOutcome | 'late' | 'superseded' | 'invalid', number>> {
		return this.#counts;
	}

	/**
	 * Takes a command that somebody asks for here. Resolves when it is durable: on the bus where the device is not on a
	 * line of this gateway, as it may be on one of another.
	 * @throws CrowdVisionError `invalid`, `rate_limited`, `unavailable`
	 */
	async request(
		sensorId: string,
		wanted: { name: string; args?: unknown; timeoutMs?: number; deadline?: number },
	): Promise<Command> {
		const now = this.#now();
		const { name, args, timeoutMs = this.#config.timeoutMs, deadline = now + timeoutMs } = wanted;
		const command: Command = { id: randomUUID(), sensorId, name, ...(args !== undefined && { args }), deadline };
		const wrong = problemOf(command, now);
		if (wrong) throw new CrowdVisionError('invalid', wrong);
		if (deadline <= now)
			throw new CrowdVisionError('invalid', '/deadline must be in the future', { path: '/deadline' });
		this.#rate.take(sensorId);
		const tooMany = this.#isFull
			? `${this.#config.mostUnderWay} commands are under way, or wait for their outcome to be told`
			: this.#shares.problem(command, this.#book, now);
		if (tooMany !== undefined) throw new CrowdVisionError('rate_limited', tooMany, {}, 1);
		if (this.#bus && !this.#lines.of(sensorId)) {
			await this.#bus.append(STREAMS.commands, [JSON.stringify(command)]);
			return command;
		}
		this.#book.add(command);
		try {
			await this.#book.save();
		} catch (error) {
			throw new CrowdVisionError(
				'unavailable',
				`The gateway's disk refused the write (${(error as NodeJS.ErrnoException).code})`,
				{},
				2,
			);
		}
		this.#deliveries.begin(command);
		return command;
	}

	/** Resolves with the outcome of a command when it is known; undefined when `signal` aborts before. */
	outcome(id: string, signal: AbortSignal): Promise<CommandResult | undefined> {
		const known = this.#book.result(id);
		if (known) return Promise.resolve(known);
		return new Promise((resolve) => {
			const done = (result?: CommandResult) => {
				signal.removeEventListener('abort', giveUp);
				const left = this.#waiting.get(id)?.filter((one) => one !== done) ?? [];
				if (left.length > 0) this.#waiting.set(id, left);
				else this.#waiting.delete(id);
				resolve(result);
			};
			const giveUp = () => done();
			this.#waiting.set(id, [...(this.#waiting.get(id) ?? []), done]);
			signal.addEventListener('abort', giveUp, { once: true });
			if (signal.aborted) done();
		});
	}

	/**
	 * Takes a device's answer; who calls it knows that the device speaks for the sensor. Resolves when the outcome is
	 * durable. One that nobody waits for any more, or for a command to another sensor, is counted and forgotten.
	 */
	async answered(sensorId: string, { id, outcome, detail }: CommandAnswer): Promise<void> {
		const command = this.#book.get(id);
		if (command?.sensorId !== sensorId) {
			this.#counts.late++;
			return;
		}
		await this.#end(command, outcome, detail);
	}

	/** Outcomes that the bus does not have yet, for it is away, are in the book as commands under way are. */
	get #isFull(): boolean {
		return this.#book.size + this.#book.untold().length >= this.#config.mostUnderWay;
	}

	/** Commands from the bus. Each is durable here, or has ended, before the place in the stream moves on. */
	async #takeAll(entries: BusEntry[]): Promise<void> {
		for (const { data } of entries) {
			while (this.#isFull && !this.#stopping.signal.aborted)
				await new Promise<void>((resolve) => this.#onRoom.push(resolve));
			if (this.#stopping.signal.aborted) return;
			await this.#take(data, this.#now());
		}
		this.#book.position = entries.at(-1)!.position;
		await this.#save();
	}

	async #take(data: string, now: number): Promise<void> {
		const { command, problem, malformed } = readCommand(data, now, this.#isSure);
		if (malformed) this.#counts.invalid++;
		if (!command) {
			this.#logger.warn({ problem }, 'an entry of the stream of commands is no command');
			return;
		}
		if (this.#book.has(command.id) || command.deadline < now - OLDEST_MS) return;
		const failed = problem ?? this.#tooMany(command, now);
		this.#book.add(command);
		if (failed !== undefined) return this.#end(command, 'failed', failed);
		if (command.deadline > now) await this.#save();
		this.#deliveries.begin(command);
	}

	/**
	 * Only who sends it can judge how many are too many for a sensor; what waits for no device of another gateway, this
	 * one does.
	 */
	#tooMany(command: Command, now: number): string | undefined {
		const { sensorId } = command;
		const line = this.#lines.of(sensorId);
		if (this.#shared && !line) return undefined;
		try {
			// One that was asked for here, before the device came, was counted then.
			if (line) this.#rate.take(sensorId);
		} catch (error) {
			return (error as Error).message;
		}
		return this.#shares.problem(command, this.#book, now);
	}

	async #end({ id, sensorId, deadline }: Command, outcome: CommandOutcome, detail: string | undefined): Promise<void> {
		if (!this.#book.get(id)) return;
		const now = this.#now();
		const result: CommandResult = {
			id,
			sensorId,
			outcome,
			...(detail !== undefined && { detail: detail.slice(0, LONGEST_DETAIL) }),
			at: now,
		};
		this.#book.end(result, deadline, this.#bus === undefined, now);
		this.#ended(id);
		await this.#save();
		if (this.#bus) this.#tell(result);
		else this.#settled(result);
	}

	#ended(id: string): void {
		this.#deliveries.end(id);
		this.#roomAgain();
	}

	#roomAgain(): void {
		for (const wake of this.#onRoom.splice(0)) wake();
	}

	#tell(result: CommandResult): void {
		void this.#outcomes?.tell(result).then((first) => {
			if (first === undefined) return;
			this.#book.told(result.id);
			this.#roomAgain();
			if (first) this.#settled(result);
			else this.#counts.superseded++;
		});
	}

	#settled(result: CommandResult): void {
		this.#counts[result.outcome]++;
		this.#wake(result);
	}

	#wake(result: CommandResult): void {
		for (const resolve of this.#waiting.get(result.id) ?? []) resolve(result);
	}

	/** An outcome on the bus, which is what counts: where another gateway said it, the command has ended here too. */
	#heard(result: CommandResult): void {
		const command = this.#book.get(result.id);
		this.#book.end(result, command?.deadline ?? result.at, true, this.#now());
		if (command) {
			this.#ended(result.id);
			void this.#save();
		}
		this.#wake(result);
	}

	/** Resolves when the book is on disk, for as long as that takes, or the gateway stops. */
	async #save(): Promise<void> {
		for (let failures = 0; ; failures++) {
			try {
				return await this.#book.save();
			} catch (error) {
				if (failures === 0) this.#logger.error({ err: error }, 'the commands under way cannot be written: trying on');
				if (this.#stopping.signal.aborted) return;
				await pause(backOff(failures, 100, 5000), this.#stopping.signal);
			}
		}
	}
}
