/** Accepts commands from HTTP and from the bus, and gives each exactly one outcome. */
import { randomUUID } from 'node:crypto';
import { type Bus, type BusEntry, START, type Subscription } from '@crowdvision/bus';
import {
	type Command,
	type CommandAnswer,
	type CommandOutcome,
	type CommandResult,
	CrowdVisionError,
	STREAMS,
	tenantOf,
} from '@crowdvision/contracts';
import { keepTrying, type Logger } from '@crowdvision/service-kit';
import { RateLimiter } from '../limits/rate-limiter.ts';
import type { CommandChannels } from './command-channels.ts';
import { CommandQuotas, type DomainOf } from './command-quotas.ts';
import type { CommandStore } from './command-store.ts';
import { Deliveries } from './deliveries.ts';
import { MAX_DETAIL } from './device-messages.ts';
import type { DownlinkConfig } from './downlink-config.ts';
import { Outcomes } from './outcomes.ts';
import { problemOf, readCommand } from './read-command.ts';

/**
 * Commands whose deadline was longer ago are ignored: their outcome was decided at that time. Shorter than the bus
 * remembers outcomes.
 */
const MAX_AGE_MS = 6 * 24 * 3600_000;

/** What `Downlink` needs. */
export interface DownlinkParts {
	store: CommandStore;
	channels: CommandChannels;
	/** For the quota of a sensor's top-level domain. */
	domainOf: DomainOf;
	/** Undefined: commands come over HTTP only, and their outcomes stay in the store. */
	bus: Bus | undefined;
	/** Whether other gateways may use the same bus. */
	shared: boolean;
	config: Required<DownlinkConfig>;
	/** Epoch ms. */
	now(): number;
	/** Whether `now` is believed to be right. */
	knowsTime(): boolean;
	logger: Logger;
}

/**
 * Delivers commands to devices. Each command gets exactly one outcome:
 *
 *   stream commands ─┐                                      ┌─ executed | failed: the device's answer
 *   HTTP ────────────┴▶ store (durable) ─▶ channel ─▶ device┤
 *                                                           └─ expired: no answer by the deadline
 *   outcome ─▶ store (durable) ─▶ stream command-results, which accepts the first outcome of each command id
 *
 * Every gateway on a bus reads every command, and sends it if the device is connected to it or connects before the
 * deadline; nothing is sent after the deadline. A command may be sent again when the device or this process comes back;
 * the device recognizes it by its id.
 */
export class Downlink {
	readonly #store: CommandStore;
	readonly #channels: CommandChannels;
	readonly #bus: Bus | undefined;
	readonly #outcomes: Outcomes | undefined;
	readonly #now: () => number;
	/**
	 * Whether this gateway may decide about a sensor's commands by the time. Its decision counts for all gateways on the
	 * bus, so one whose clock may be wrong decides only if the device is connected to it.
	 */
	readonly #isSure: (sensorId: string) => boolean;
	readonly #deliveries: Deliveries;
	readonly #quotas: CommandQuotas;
	readonly #config: Required<DownlinkConfig>;
	readonly #shared: boolean;
	readonly #logger: Logger;
	readonly #rate: RateLimiter;
	/** Callers that wait for an outcome, by command id. */
	readonly #waiting = new Map<string, ((result: CommandResult) => void)[]>();
	readonly #stopping = new AbortController();
	readonly #counts = { executed: 0, failed: 0, expired: 0, late: 0, superseded: 0, invalid: 0 };
	/** Called when there may be room for another command. */
	#onRoom: (() => void)[] = [];
	#tail: Subscription | undefined;

	constructor(parts: DownlinkParts) {
		this.#store = parts.store;
		this.#channels = parts.channels;
		this.#bus = parts.bus;
		this.#now = parts.now;
		this.#isSure = (sensorId) => !parts.shared || parts.knowsTime() || parts.channels.of(sensorId) !== undefined;
		this.#deliveries = new Deliveries({
			...parts,
			isSure: this.#isSure,
			onAnswer: (command, answer) => void this.answered(command, answer),
			onExpired: (command, reason) => void this.#end(command, 'expired', reason),
		});
		this.#config = parts.config;
		this.#shared = parts.shared;
		this.#quotas = new CommandQuotas(parts.config, parts.domainOf);
		this.#logger = parts.logger;
		this.#rate = new RateLimiter(parts.config.perSecond);
		this.#outcomes = parts.bus && new Outcomes(parts.bus, parts.logger);
	}

	/** Resumes the commands under way and follows the bus. Devices may have connected before. */
	async start(): Promise<void> {
		await this.#outcomes?.follow((result) => this.#onOutcome(result));
		for (const result of this.#store.unpublished()) this.#publish(result);
		for (const command of this.#store.underWay()) this.#deliveries.start(command, true);
		this.#channels.follow((sensorId) => this.#deliveries.resume(sensorId));
		this.#tail = await this.#bus?.tail(
			STREAMS.commands,
			this.#store.position ?? START,
			(entries) => this.#takeAll(entries),
			(gap) => this.#logger.warn({ gap }, 'the bus dropped commands before this gateway read them'),
		);
	}

	/** Stops. Commands under way stay so; the next start resumes them. */
	async stop(): Promise<void> {
		this.#stopping.abort();
		this.#notifyRoom();
		await this.#tail?.close();
		await this.#outcomes?.close();
		this.#deliveries.stop();
		await this.#store.settled();
	}

	/** Number of commands without an outcome. */
	get underWay(): number {
		return this.#store.size;
	}

	/**
	 * Counts since the start: outcomes decided here, `late` answers that no command was waiting for, outcomes
	 * `superseded` by another gateway's, and `invalid` entries of the stream of commands.
	 */
	get counts(): Readonly<Record<CommandOutcome | 'late' | 'superseded' | 'invalid', number>> {
		return this.#counts;
	}

	/**
	 * Accepts a command that was requested over HTTP. Resolves when it is durable: in the store if the device is
	 * connected to this gateway, else on the bus, as it may be connected to another one.
	 * @throws CrowdVisionError `invalid`, `rate_limited`, `unavailable`
	 */
	async request(
		sensorId: string,
		wanted: { name: string; args?: unknown; timeoutMs?: number; deadline?: number },
		domainName?: string,
	): Promise<Command> {
		const now = this.#now();
		const { name, args, timeoutMs = this.#config.timeoutMs, deadline = now + timeoutMs } = wanted;
		const command: Command = {
			id: randomUUID(),
			sensorId,
			...(domainName !== undefined && { domainName }),
			name,
			...(args !== undefined && { args }),
			deadline,
		};
		const problem = problemOf(command, now);
		if (problem) throw new CrowdVisionError('invalid', problem);
		if (deadline <= now)
			throw new CrowdVisionError('invalid', '/deadline must be in the future', { path: '/deadline' });
		this.#rate.take(rateKey(command));
		const tooMany = this.#isFull
			? `${this.#config.mostUnderWay} commands are under way or their outcome is not yet published`
			: this.#quotas.problem(command, this.#store, now);
		if (tooMany !== undefined) throw new CrowdVisionError('rate_limited', tooMany, {}, 1);
		if (this.#bus && !this.#channels.of(sensorId, domainName)) {
			await this.#bus.append(STREAMS.commands, [JSON.stringify(command)]);
			return command;
		}
		this.#store.add(command);
		try {
			await this.#store.save();
		} catch (error) {
			throw new CrowdVisionError(
				'unavailable',
				`The gateway's disk refused the write (${(error as NodeJS.ErrnoException).code})`,
				{},
				2,
			);
		}
		this.#deliveries.start(command);
		return command;
	}

	/** Resolves with the outcome of a command once it is known, or with undefined if `signal` aborts before. */
	outcome(id: string, signal: AbortSignal): Promise<CommandResult | undefined> {
		const known = this.#store.result(id);
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
	 * Handles the answer of a device of this domain. The caller has checked that it may send for this sensor. Resolves
	 * when the outcome is durable. An answer to a command that has ended, or that was for another sensor, only counts.
	 */
	async answered(
		{ sensorId, domainName }: Pick<Command, 'sensorId' | 'domainName'>,
		{ id, outcome, detail }: CommandAnswer,
	): Promise<void> {
		const command = this.#store.get(id);
		if (command?.sensorId !== sensorId || !isSameTenant(command.domainName, domainName)) {
			this.#counts.late++;
			return;
		}
		await this.#end(command, outcome, detail);
	}

	/** Outcomes that the bus does not have yet count like commands under way, as the store holds both. */
	get #isFull(): boolean {
		return this.#store.size + this.#store.unpublished().length >= this.#config.mostUnderWay;
	}

	/** Handles commands from the bus. Each is durable here, or has ended, before the position in the stream moves on. */
	async #takeAll(entries: BusEntry[]): Promise<void> {
		for (const { data } of entries) {
			while (this.#isFull && !this.#stopping.signal.aborted)
				await new Promise<void>((resolve) => this.#onRoom.push(resolve));
			if (this.#stopping.signal.aborted) return;
			await this.#take(data, this.#now());
		}
		this.#store.position = entries.at(-1)!.position;
		await this.#save();
	}

	async #take(data: string, now: number): Promise<void> {
		const { command, problem, malformed } = readCommand(data, now, this.#isSure);
		if (malformed) this.#counts.invalid++;
		if (!command) {
			this.#logger.warn({ problem }, 'an entry of the stream of commands is not a command');
			return;
		}
		if (this.#store.has(command.id) || command.deadline < now - MAX_AGE_MS) return;
		const failed = problem ?? this.#tooMany(command, now);
		this.#store.add(command);
		if (failed !== undefined) return this.#end(command, 'failed', failed);
		if (command.deadline > now) await this.#save();
		this.#deliveries.start(command);
	}

	/**
	 * Why a command is one too many, or undefined. If other gateways share the bus, only the one with the device's
	 * channel decides.
	 */
	#tooMany(command: Command, now: number): string | undefined {
		const channel = this.#channels.of(command.sensorId, command.domainName);
		if (this.#shared && !channel) return undefined;
		try {
			// A command that was requested here before the device connected was counted at the request.
			if (channel) this.#rate.take(rateKey(command));
		} catch (error) {
			return (error as Error).message;
		}
		return this.#quotas.problem(command, this.#store, now);
	}

	async #end({ id, sensorId, deadline }: Command, outcome: CommandOutcome, detail: string | undefined): Promise<void> {
		if (!this.#store.get(id)) return;
		const now = this.#now();
		const result: CommandResult = {
			id,
			sensorId,
			outcome,
			...(detail !== undefined && { detail: detail.slice(0, MAX_DETAIL) }),
			at: now,
		};
		this.#store.end(result, deadline, this.#bus === undefined, now);
		this.#stopDelivering(id);
		await this.#save();
		if (this.#bus) this.#publish(result);
		else this.#complete(result);
	}

	#stopDelivering(id: string): void {
		this.#deliveries.end(id);
		this.#notifyRoom();
	}

	#notifyRoom(): void {
		for (const wake of this.#onRoom.splice(0)) wake();
	}

	#publish(result: CommandResult): void {
		void this.#outcomes?.publish(result).then((isFirst) => {
			if (isFirst === undefined) return;
			this.#store.setPublished(result.id);
			this.#notifyRoom();
			if (isFirst) this.#complete(result);
			else this.#counts.superseded++;
		});
	}

	/** Counts an outcome of this gateway and resolves those who wait for it. */
	#complete(result: CommandResult): void {
		this.#counts[result.outcome]++;
		this.#wake(result);
	}

	#wake(result: CommandResult): void {
		for (const resolve of this.#waiting.get(result.id) ?? []) resolve(result);
	}

	/** Takes over an outcome from the bus, which is the one that counts, also if it is another gateway's. */
	#onOutcome(result: CommandResult): void {
		const command = this.#store.get(result.id);
		this.#store.end(result, command?.deadline ?? result.at, true, this.#now());
		if (command) {
			this.#stopDelivering(result.id);
			void this.#save();
		}
		this.#wake(result);
	}

	/** Resolves when the store is on disk, or when the gateway stops after a failed write. Never rejects. */
	async #save(): Promise<void> {
		const { signal } = this.#stopping;
		await keepTrying(() => this.#store.save(), {
			what: 'writing the commands under way',
			level: 'error',
			longestMs: 5000,
			signal,
			logger: this.#logger,
		}).catch(() => undefined);
	}
}

const rateKey = ({ sensorId, domainName = '' }: Command) => `${tenantOf(domainName)}/${sensorId}`;

/** Whether two domains are of one tenant, as far as both are known. */
function isSameTenant(one: string | undefined, other: string | undefined): boolean {
	return one === undefined || other === undefined || tenantOf(one) === tenantOf(other);
}
