import { isDeepStrictEqual } from 'node:util';
import type { GatewayConfig } from '../config.ts';

/** A part of the gateway that can be changed while it runs. */
export interface LivePart {
	/** What of a configuration it is made of. */
	of(config: GatewayConfig): unknown;
	/** Takes another configuration; rejects, unchanged, where it cannot work with it. */
	update(config: GatewayConfig): Promise<void> | void;
	/** It reads files that the configuration names: called also where only those have changed. */
	readsFiles?: boolean;
}

/** What is only read when the gateway starts: the option as it is called in gateway.yaml, and where it stands. */
export type FixedOptions = Readonly<Record<string, (config: GatewayConfig) => unknown>>;

/** Brings changes to the parts that they are of, and to no other. All of them take a change, or none does. */
export class LiveParts {
	readonly #parts: readonly LivePart[];
	readonly #fixed: FixedOptions;
	readonly #started: GatewayConfig;
	#config: GatewayConfig;

	constructor(config: GatewayConfig, parts: readonly LivePart[], fixed: FixedOptions) {
		this.#parts = parts;
		this.#fixed = fixed;
		this.#started = structuredClone(config);
		this.#config = this.#started;
	}

	/** Resolves with the options that count from the next start. Rejects with the reason of the part that refused, when the others are as before. */
	async update(config: GatewayConfig): Promise<string[]> {
		const before = this.#config;
		const changed: LivePart[] = [];
		for (const part of this.#parts) {
			if (!part.readsFiles && isDeepStrictEqual(part.of(before), part.of(config))) continue;
			changed.push(part);
			try {
				await part.update(config);
			} catch (error) {
				for (const one of changed.reverse()) await one.update(before);
				throw error;
			}
		}
		this.#config = structuredClone(config);
		return Object.keys(this.#fixed).filter((option) => !isDeepStrictEqual(this.#fixed[option]!(this.#started), this.#fixed[option]!(config)));
	}
}
