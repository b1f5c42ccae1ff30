import { describe, expect, it, onTestFinished } from 'vitest';
import { waitFor } from '../../../../test/support/wait.ts';
import { serialLine } from '../../testing/serial-line.ts';
import { SerialSource } from './serial-source.ts';

describe('another configuration of serial ports', () => {
	it('leaves those open that are as before, closes those that are gone, and opens those that are new', async () => {
		const [kept, dropped, added] = [await serialLine(), await serialLine(), await serialLine()];
		const told: string[] = [];
		const parts = {
			credentials: undefined as never,
			devices: {
				connected: (id: string) => told.push(`connected ${id}`),
				missing: (id: string) => told.push(`missing ${id}`),
				found: () => undefined,
				heard: () => undefined,
				troubled: () => undefined,
			} as never,
			lines: { add: () => undefined, remove: () => undefined } as never,
			refuse: (() => Promise.resolve()) as never,
			logger: { info: () => undefined, warn: () => undefined, error: () => undefined } as never,
		} as ConstructorParameters<typeof SerialSource>[2];
		const entry = ({ path }: { path: string }) => ({ path, defaults: { sensorId: 's', buildingId: 'b', roomId: 'r' } });
		const source = new SerialSource([entry(kept), entry(dropped)], '/', parts);
		onTestFinished(() => source.stop());
		const values: unknown[] = [];
		await source.start(async ({ parsed }) => values.push(parsed));
		await waitFor('both', () => told.includes(`connected ${kept.path}`) && told.includes(`connected ${dropped.path}`));
		await source.update([entry(added), entry(kept)]);
		await waitFor('the new one', () => told.includes(`connected ${added.path}`));
		expect(told).toContain(`missing ${dropped.path}`);
		expect(told.filter((one) => one.endsWith(kept.path))).toEqual([`connected ${kept.path}`]);
		for (const line of [kept, added]) await line.send({ metric: 'co2', value: 1, seq: 1 });
		for (const line of [kept, added]) await line.answered('ACK 1');
		expect(source.counts().get(kept.path)).toMatchObject({ opened: 1, frames: 1 });
		await source.update([]);
		expect(told).toContain(`missing ${kept.path}`);
		expect(source.trouble()).toBeUndefined();
	});
});
