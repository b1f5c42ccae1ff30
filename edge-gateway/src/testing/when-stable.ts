import { waitFor } from '@crowdvision/testing/wait';

/**
 * Resolves with the number that `read` gives once it has not changed for `quietMs`. For tests that a thing no longer
 * happens, where there is no event to await.
 * @throws Error when it keeps changing for `timeoutMs`
 */
export async function whenStable(
	read: () => number | Promise<number>,
	quietMs = 1500,
	timeoutMs = 20_000,
): Promise<number> {
	let last = await read();
	let since = performance.now();
	await waitFor(
		`${quietMs} ms without change`,
		async () => {
			const now = await read();
			if (now !== last) since = performance.now();
			last = now;
			return performance.now() - since >= quietMs;
		},
		timeoutMs,
	);
	return last;
}
