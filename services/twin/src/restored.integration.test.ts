import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { readingOf } from '@crowdvision/testing/service-world';
import { describe, expect, it } from 'vitest';
import { HALL, history, serveTwin, stateAt, twin, upload, useTwin, world } from './testing/museum.ts';

useTwin();

const co2 = (value: number) => readingOf({ ...HALL, metric: 'co2', value });

/** Sends readings and waits until they are stored. */
async function store(...values: number[]): Promise<string> {
	const position = (await world.tell(...values.map(co2))).at(-1)!;
	await stateAt(position);
	return position;
}

async function countOf(metric: string): Promise<number> {
	const { points } = (await history(`room=hall&metric=${metric}&agg=count&bucket=1h`)).body;
	return points.reduce((sum, { value }) => sum + (value ?? 0), 0);
}

describe('P2 a store that was restored from a backup', () => {
	const file = () => join(world.parts.dataDir, 'twin.sqlite');
	const parts = ['', '-wal', '-shm'];

	it('gets the readings since the backup again from the stream, each once', async () => {
		await upload();
		await store(500, 510);
		await twin.close();
		for (const part of parts)
			await cp(file() + part, `${file()}.backup${part}`, { force: true }).catch(() => undefined);
		await serveTwin();
		const last = await store(520, 530, 540);
		expect(await countOf('co2')).toBe(5);
		await twin.close();
		for (const part of parts) {
			await rm(file() + part, { force: true });
			await cp(`${file()}.backup${part}`, file() + part).catch(() => undefined);
		}
		await serveTwin();
		expect((await stateAt(last)).rooms.hall!.values.co2).toMatchObject({ value: 540 });
		expect(await countOf('co2')).toBe(5);
	});
});
