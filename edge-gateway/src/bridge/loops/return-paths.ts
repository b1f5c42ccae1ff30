/** A question whether messages return takes at most this long to be answered. */
const CONFIRM_MS = 1000;

interface ReturnPath {
	/** When a probe last came back, monotonic ms. */
	returnedAt: number;
	/** When the last question was answered. */
	askedAt: number;
	waiting: (() => void)[];
	asked?: Promise<boolean> | undefined;
}

/** Which bridges give back what other bridges send, from one bridge to the other. */
export class ReturnPaths {
	readonly #paths = new Map<string, ReturnPath>();

	/** Records that a probe sent by one bridge came back by another. Call `resolve` once the consequences are drawn. */
	returned(sentBy: string, backBy: string, now: number): { resolve(): void } {
		const path = this.#path(sentBy, backBy);
		path.returnedAt = now;
		return {
			resolve: () => {
				for (const resolve of path.waiting.splice(0)) resolve();
			},
		};
	}

	/**
	 * Finds out whether what one bridge sends comes back by another: from a probe that came back at most `freshMs` ago,
	 * or from a new one. Without `sendProbe` no new one is sent.
	 */
	confirm(sentBy: string, backBy: string, freshMs: number, sendProbe?: () => void): Promise<boolean> {
		const now = performance.now();
		const path = this.#path(sentBy, backBy);
		if (path.returnedAt > now - freshMs) return Promise.resolve(true);
		if (path.asked) return path.asked;
		if (path.askedAt > now - CONFIRM_MS || !sendProbe) return Promise.resolve(false);
		path.asked = new Promise<boolean>((resolve) => {
			const answer = (returns: boolean) => {
				clearTimeout(timer);
				path.asked = undefined;
				path.askedAt = performance.now();
				resolve(returns);
			};
			const timer = setTimeout(() => answer(false), CONFIRM_MS);
			path.waiting.push(() => answer(true));
		});
		sendProbe();
		return path.asked;
	}

	#path(sentBy: string, backBy: string): ReturnPath {
		const key = `${sentBy} ${backBy}`;
		let path = this.#paths.get(key);
		if (!path) {
			path = { returnedAt: Number.NEGATIVE_INFINITY, askedAt: Number.NEGATIVE_INFINITY, waiting: [] };
			this.#paths.set(key, path);
		}
		return path;
	}
}
