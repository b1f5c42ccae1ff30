import type { ConsumeOptions } from './bus.ts';

export type FullConsumeOptions = Required<Omit<ConsumeOptions, 'from'>> & Pick<ConsumeOptions, 'from'>;

/** Fills in the defaults that bus.ts documents. */
export function withDefaults(options: ConsumeOptions): FullConsumeOptions {
	return {
		...options,
		batch: options.batch ?? 256,
		maxAttempts: Math.max(1, options.maxAttempts ?? 5),
		claimAfterMs: options.claimAfterMs ?? 30_000,
	};
}
