import type { Running } from '@crowdvision/testing/processes';

/** Kills hold-entries.ts once it has printed what it holds, and resolves with that. */
export async function heldBy(starting: Promise<Running>): Promise<string[]> {
	const holder = await starting;
	await holder.kill('SIGKILL');
	return JSON.parse(holder.ready[1]!) as string[];
}
