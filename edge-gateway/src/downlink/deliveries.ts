import { type Command, type CommandAnswer, LONGEST_DEADLINE_MS } from '@crowdvision/contracts';
import type { Line, Lines } from './lines.ts';

/** How long after the deadline an answer is waited for: what was executed in time may be told a little later. */
const ANSWER_GRACE_MS = 1000;
/** The same for what may have been sent before this process began: its device has to come back first. */
const RESTART_GRACE_MS = 5000;
/** How long after the deadline another gateway, to which the device is connected, has to say the outcome. */
const OTHERS_GRACE_MS = 3000;
/**
 * How often a gateway that is not sure of the time looks whether it is now. After the longest deadline, whoever is sure
 * has said what became of it.
 */
const LOOK_AGAIN_MS = 5000;

interface Delivery {
	readonly command: Command;
	/** On a clock that nobody sets, ms. */
	readonly begun: number;
	/** The line it was sent on last. */
	line: Line | undefined;
	expiry: NodeJS.Timeout | undefined;
	repeat: NodeJS.Timeout | undefined;
}

export interface DeliveriesParts {
	lines: Lines;
	/** Whether the device may be on a line of another gateway. */
	shared: boolean;
	/** Epoch ms. */
	now(): number;
	/** Whether this gateway may say that a command to this sensor is late. */
	isSure(sensorId: string): boolean;
	answered(sensorId: string, answer: CommandAnswer): void;
	/** Nobody has answered in time; `reason` for a person. */
	expired(command: Command, reason: string): void;
}

/**
 * Commands on their way: each is sent to the device's line of now, again on the next one, and never late; after its
 * deadline it expires.
 */
export class Deliveries {
	readonly #parts: DeliveriesParts;
	readonly #deliveries = new Map<string, Delivery>();

	constructor(parts: DeliveriesParts) {
		this.#parts = parts;
	}

	/** Takes up a command. `resumed`: it may have been sent before this process began. */
	begin(command: Command, resumed = false): void {
		const delivery: Delivery = {
			command,
			begun: performance.now(),
			line: undefined,
			expiry: undefined,
			repeat: undefined,
		};
		this.#deliveries.set(command.id, delivery);
		const { shared, now } = this.#parts;
		if (resumed) this.#expireAt(delivery, Math.max(now() + RESTART_GRACE_MS, command.deadline + ANSWER_GRACE_MS));
		else this.#expireAt(delivery, command.deadline + (shared ? OTHERS_GRACE_MS : 0));
		this.#send(delivery);
	}

	/** A sensor has a line. */
	resume(sensorId: string): void {
		for (const delivery of this.#deliveries.values()) if (delivery.command.sensorId === sensorId) this.#send(delivery);
	}

	/** It has an outcome: nothing more is sent. */
	end(id: string): void {
		const delivery = this.#deliveries.get(id);
		clearTimeout(delivery?.expiry);
		clearTimeout(delivery?.repeat);
		this.#deliveries.delete(id);
	}

	stop(): void {
		for (const id of this.#deliveries.keys()) this.end(id);
	}

	/** Sends a command to the device's line of now, unless it was sent there already, or is late. */
	#send(delivery: Delivery, again = false): void {
		const { lines, now, answered } = this.#parts;
		const { command } = delivery;
		const line = lines.of(command.sensorId);
		if (!line || (delivery.line === line && !again)) return;
		const ttlMs = Math.floor(command.deadline - now());
		if (ttlMs <= 0) return;
		// Before it is sent, as the answer may come at once.
		delivery.line = line;
		this.#expireAt(delivery, command.deadline + ANSWER_GRACE_MS);
		clearTimeout(delivery.repeat);
		if (line.repeatMs !== undefined) delivery.repeat = setTimeout(() => this.#send(delivery, true), line.repeatMs);
		line.send({ ...command, ttlMs }, (answer) => answered(command.sensorId, { id: command.id, ...answer }));
	}

	#expireAt(delivery: Delivery, at: number): void {
		clearTimeout(delivery.expiry);
		const { isSure, now } = this.#parts;
		const { command, begun } = delivery;
		if (isSure(command.sensorId)) {
			const left = Math.min(Math.max(0, at - now()), LONGEST_DEADLINE_MS + RESTART_GRACE_MS);
			delivery.expiry = setTimeout(() => this.#expire(delivery), left);
		} else {
			const again = () =>
				performance.now() - begun < LONGEST_DEADLINE_MS ? this.#expireAt(delivery, at) : this.#expire(delivery);
			delivery.expiry = setTimeout(again, LOOK_AGAIN_MS);
		}
	}

	#expire({ line, command }: Delivery): void {
		// Where the gateway with the device is down, it may have been executed all the same: nobody can know.
		const nobody = this.#parts.shared
			? 'the device was not connected here, and no other gateway told of an answer'
			: 'the device was not connected';
		this.#parts.expired(command, line ? `${line.name} did not answer in time` : nobody);
	}
}
