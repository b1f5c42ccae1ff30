/** Sends commands on the channels of their devices, and expires those that are not answered. */
import { type Command, type CommandAnswer, MAX_DEADLINE_MS } from '@crowdvision/contracts';
import type { CommandChannel, CommandChannels } from './command-channels.ts';

/**
 * How long after the deadline to wait for an answer: a command that was executed in time may be answered a bit later.
 */
const ANSWER_GRACE_MS = 1000;
/** The same for a command that may have been sent before this process started: its device has to reconnect first. */
const RESTART_GRACE_MS = 5000;
/** How long after the deadline to wait for the outcome from another gateway, to which the device may be connected. */
const OTHER_GATEWAYS_GRACE_MS = 3000;
/**
 * How often a gateway that does not know the time checks whether it knows it now. After the longest deadline a gateway
 * that knows the time has published the outcome.
 */
const CHECK_TIME_MS = 5000;

interface Delivery {
	readonly command: Command;
	/** Monotonic clock, ms. */
	readonly startedAt: number;
	/** The channel on which it was last sent. */
	channel: CommandChannel | undefined;
	expiry: NodeJS.Timeout | undefined;
	repeat: NodeJS.Timeout | undefined;
}

/** What `Deliveries` needs. */
export interface DeliveriesParts {
	channels: CommandChannels;
	/** Whether the device may be connected to another gateway. */
	shared: boolean;
	/** Epoch ms. */
	now(): number;
	/** Whether this gateway may judge that a command to this sensor is late. */
	isSure(sensorId: string): boolean;
	onAnswer(command: Command, answer: CommandAnswer): void;
	/** Called if no answer came in time; `reason` is a text for users. */
	onExpired(command: Command, reason: string): void;
}

/**
 * Sends each command on the device's channel, again on the next channel, and never after its deadline. A command that
 * is not answered expires.
 */
export class Deliveries {
	readonly #parts: DeliveriesParts;
	readonly #deliveries = new Map<string, Delivery>();

	constructor(parts: DeliveriesParts) {
		this.#parts = parts;
	}

	/** Starts delivering a command. `resumed`: it may have been sent before this process started. */
	start(command: Command, resumed = false): void {
		const delivery: Delivery = {
			command,
			startedAt: performance.now(),
			channel: undefined,
			expiry: undefined,
			repeat: undefined,
		};
		this.#deliveries.set(command.id, delivery);
		const { shared, now } = this.#parts;
		if (resumed) this.#expireAt(delivery, Math.max(now() + RESTART_GRACE_MS, command.deadline + ANSWER_GRACE_MS));
		else this.#expireAt(delivery, command.deadline + (shared ? OTHER_GATEWAYS_GRACE_MS : 0));
		this.#send(delivery);
	}

	/** Sends what waits for this sensor, which has got a channel. */
	resume(sensorId: string): void {
		for (const delivery of this.#deliveries.values()) if (delivery.command.sensorId === sensorId) this.#send(delivery);
	}

	/** Stops delivering a command that has an outcome. */
	end(id: string): void {
		const delivery = this.#deliveries.get(id);
		clearTimeout(delivery?.expiry);
		clearTimeout(delivery?.repeat);
		this.#deliveries.delete(id);
	}

	stop(): void {
		for (const id of this.#deliveries.keys()) this.end(id);
	}

	/** Sends a command on the device's channel, unless it was sent there already (and not `again`) or is late. */
	#send(delivery: Delivery, again = false): void {
		const { channels, now, onAnswer } = this.#parts;
		const { command } = delivery;
		const channel = channels.of(command.sensorId, command.domainName);
		if (!channel || (delivery.channel === channel && !again)) return;
		const ttlMs = Math.floor(command.deadline - now());
		if (ttlMs <= 0) return;
		// Set before sending, as the answer may come synchronously.
		delivery.channel = channel;
		this.#expireAt(delivery, command.deadline + ANSWER_GRACE_MS);
		clearTimeout(delivery.repeat);
		if (channel.repeatMs !== undefined)
			delivery.repeat = setTimeout(() => this.#send(delivery, true), channel.repeatMs);
		const { domainName: _, ...told } = command;
		channel.send({ ...told, ttlMs }, (answer) => onAnswer(command, { id: command.id, ...answer }));
	}

	#expireAt(delivery: Delivery, at: number): void {
		clearTimeout(delivery.expiry);
		const { isSure, now } = this.#parts;
		const { command, startedAt } = delivery;
		if (isSure(command.sensorId)) {
			const left = Math.min(Math.max(0, at - now()), MAX_DEADLINE_MS + RESTART_GRACE_MS);
			delivery.expiry = setTimeout(() => this.#expire(delivery), left);
		} else {
			const again = () =>
				performance.now() - startedAt < MAX_DEADLINE_MS ? this.#expireAt(delivery, at) : this.#expire(delivery);
			delivery.expiry = setTimeout(again, CHECK_TIME_MS);
		}
	}

	#expire({ channel, command }: Delivery): void {
		// If the device is connected to a gateway that is down, the command may have been executed; that cannot be known.
		const notConnected = this.#parts.shared
			? 'the device was not connected here, and no other gateway reported an answer'
			: 'the device was not connected';
		this.#parts.onExpired(command, channel ? `${channel.name} did not answer in time` : notConnected);
	}
}
