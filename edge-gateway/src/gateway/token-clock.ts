/** The clock that the gateway verifies tokens by. */
import type { TokenClock } from '@crowdvision/service-kit';

/** The gateway's clock, as far as tokens need it. */
interface OwnClock {
	/** Epoch ms. */
	now(): number;
	readonly quality: string;
}

/** A system clock before this was never set. */
const SET_FROM = Date.UTC(2025, 0, 1);

/**
 * The gateway's own clock: a system clock that was set back must not make a device's token one of the future.
 * `signsElsewhere`: another machine signs the tokens, by its own clock. A gateway that is ahead of its system clock may
 * be the one that is wrong, so a token has expired when both say so.
 */
export function tokenClock(clock: OwnClock, signsElsewhere = false): TokenClock {
	const own = { now: () => clock.now(), known: () => clock.quality !== 'unsynced' };
	if (!signsElsewhere) return own;
	return {
		...own,
		expired: () => {
			const system = Date.now();
			return system < SET_FROM ? clock.now() : Math.min(clock.now(), system);
		},
	};
}
