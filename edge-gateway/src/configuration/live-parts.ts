/** Applies a change of the configuration to all parts that it concerns, or to none. */
import { isDeepStrictEqual } from 'node:util';
import type { GatewayConfig } from './gateway-config.ts';

/** A part of the gateway that can be changed while it runs. */
export interface LivePart {
	/** The part of a configuration that it is made of. */
	of(config: GatewayConfig): unknown;
	/** Applies another configuration. Rejects, unchanged, if it cannot work with it. */
	update(config: GatewayConfig): Promise<void> | void;
	/** It reads files that the configuration names, so it is also updated when only those have changed. */
	readsFiles?: boolean;
}

/** Options that are only read when the gateway starts, by their name in gateway.yaml. */
export type FixedOptions = Readonly<Record<string, (config: GatewayConfig) => unknown>>;

/** Applies a change of the configuration to the parts that it concerns: to all of them, or to none. */
export class LiveParts {
	readonly #parts: readonly LivePart[];
	readonly #fixed: FixedOptions;
	readonly #started: GatewayConfig;
	#config: GatewayConfig;
	/** Parts that could not be reverted: they get the next configuration, whatever it changes. */
	readonly #stuck = new Set<LivePart>();

	constructor(config: GatewayConfig, parts: readonly LivePart[], fixed: FixedOptions) {
		this.#parts = parts;
		this.#fixed = fixed;
		this.#started = structuredClone(config);
		this.#config = this.#started;
	}

	/**
	 * Resolves with the changed options that only count from the next start.
	 * @throws the error of the part that refuses, once the others are as before
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
				throw new Error(`${(error as Error).message}; and not everything could be undone: ${stuck.join('; ')}`, {
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

	/** Resolves with the errors of the parts that could not be reverted. */
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
