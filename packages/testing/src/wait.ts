/**
 * Polls `probe` until it gives something other than undefined, null or false, and resolves with that.
 * @throws Error naming `what` after `timeoutMs`, with the last error of the probe as its cause.
 */
export async function waitFor<T>(
	what: string,
	probe: () => T | Promise<T>,
	timeoutMs = 15_000,
): Promise<NonNullable<Exclude<T, false>>> {
	const deadline = performance.now() + timeoutMs;
	for (;;) {
		let failure: unknown;
		try {
			const found = await probe();
			if (found !== undefined && found !== null && found !== false) return found as NonNullable<Exclude<T, false>>;
		} catch (error) {
			failure = error;
		}
		if (performance.now() >= deadline)
			throw new Error(`waited ${timeoutMs} ms in vain for ${what}`, { cause: failure });
		await new Promise((resolve) => setTimeout(resolve, 10));
	}
}

/** Rejects when `promise` does not settle within `timeoutMs`: a hang becomes a failure that says what hung. */
export async function within<T>(what: string, promise: Promise<T>, timeoutMs = 15_000): Promise<T> {
	let timer: NodeJS.Timeout | undefined;
	const late = new Promise<never>((_resolve, reject) => {
		timer = setTimeout(() => reject(new Error(`${what} did not settle within ${timeoutMs} ms`)), timeoutMs);
	});
	try {
		return await Promise.race([promise, late]);
	} finally {
		clearTimeout(timer);
	}
}
