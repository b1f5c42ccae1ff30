/** Returns a function that runs tasks, at most `max` of them at a time; further tasks wait and start in order. */
export function limitConcurrency(max: number): <T>(task: () => Promise<T>) => Promise<T> {
	const waiting: (() => void)[] = [];
	let running = 0;
	return async (task) => {
		if (running < max) running += 1;
		// A finished task passes its place on without freeing it, so no later task can overtake a waiting one.
		else await new Promise<void>((resume) => waiting.push(resume));
		try {
			return await task();
		} finally {
			const next = waiting.shift();
			if (next) next();
			else running -= 1;
		}
	};
}
