import type { ConsumeOptions } from './bus.ts';

/** The defaults of bus.ts filled in. */
export function withDefaults(options: ConsumeOptions): Required<ConsumeOptions> {
	return {
		member: options.member,
		batch: options.batch ?? 256,
		maxAttempts: Math.max(1, options.maxAttempts ?? 5),
		claimAfterMs: options.claimAfterMs ?? 30_000,
	};
}
