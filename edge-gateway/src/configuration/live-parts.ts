import { isDeepStrictEqual } from 'node:util';
import type { GatewayConfig } from './gateway-config.ts';

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
	/** Parts that could not be taken back, and so are told of the next configuration whatever it is. */
	readonly #stuck = new Set<LivePart>();

	constructor(config: GatewayConfig, parts: readonly LivePart[], fixed: FixedOptions) {
		this.#parts = parts;
		this.#fixed = fixed;
		this.#started = structuredClone(config);
		this.#config = this.#started;
	}

	/**
	 * Resolves with the options that count from the next start. Rejects with the reason of the part that refused, when
	 * the others are as before.
	 */
	async update(config: GatewayConfig): Promise<string[]> {
		const before = this.#config;
		const changed: LivePart[] = [];
		for (const part of this.#parts) {
			if (!part.readsFiles && !this.#stuck.has(part) && isDeepStrictEqual(part.of(before), part.of(config))) continue;
			changed.push(part);
			try {
				await part.update(config);
			} catch (error) {
				const stuck = await this.#revert(changed.reverse(), before);
				if (stuck.length === 0) throw error;
				throw new Error(`${(error as Error).message}; and not everything could be taken back: ${stuck.join('; ')}`, {
					cause: error,
				});
			}
		}
		this.#stuck.clear();
		this.#config = structuredClone(config);
		return Object.keys(this.#fixed).filter(
			(option) => !isDeepStrictEqual(this.#fixed[option]!(this.#started), this.#fixed[option]!(config)),
		);
	}

	/** Resolves with why some could not be; the others are as before. */
	async #revert(parts: LivePart[], before: GatewayConfig): Promise<string[]> {
		const reasons: string[] = [];
		for (const part of parts) {
			try {
				await part.update(before);
			} catch (error) {
				this.#stuck.add(part);
				reasons.push((error as Error).message);
			}
		}
		return reasons;
	}
}
