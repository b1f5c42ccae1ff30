import { waitFor } from '@crowdvision/testing/wait';
import { describe, expect, it, onTestFinished } from 'vitest';
import { serialLine } from '../../testing/serial-line.ts';
import { SerialSource } from './serial-source.ts';

describe('updating the configuration of serial ports', () => {
	it('leaves unchanged ports open, closes removed ones and opens new ones', async () => {
		const [unchanged, removed, added] = [await serialLine(), await serialLine(), await serialLine()];
		const reports: string[] = [];
		const parts = {
			credentials: undefined as never,
			devices: {
				connected: (id: string) => reports.push(`connected ${id}`),
				missing: (id: string) => reports.push(`missing ${id}`),
				found: () => undefined,
				heard: () => undefined,
				troubled: () => undefined,
			} as never,
			channels: { add: () => undefined, remove: () => undefined } as never,
			refuse: (() => Promise.resolve()) as never,
			logger: { info: () => undefined, warn: () => undefined, error: () => undefined } as never,
		} as ConstructorParameters<typeof SerialSource>[2];
		const entry = ({ path }: { path: string }) => ({ path, defaults: { sensorId: 's', buildingId: 'b', roomId: 'r' } });
		const source = new SerialSource([entry(unchanged), entry(removed)], '/', parts);
		onTestFinished(() => source.stop());
		const values: unknown[] = [];
		await source.start(({ parsed }, onDurable) => onDurable(undefined, values.push(parsed)));
		await waitFor(
			'both',
			() => reports.includes(`connected ${unchanged.path}`) && reports.includes(`connected ${removed.path}`),
		);
		await source.update([entry(added), entry(unchanged)]);
		await waitFor('the new one', () => reports.includes(`connected ${added.path}`));
		expect(reports).toContain(`missing ${removed.path}`);
		expect(reports.filter((one) => one.endsWith(unchanged.path))).toEqual([`connected ${unchanged.path}`]);
		for (const line of [unchanged, added]) await line.send({ metric: 'co2', value: 1, seq: 1 });
		for (const line of [unchanged, added]) await line.answered('ACK 1');
		expect(source.counts().get(unchanged.path)).toMatchObject({ opened: 1, frames: 1 });
		await source.update([]);
		expect(reports).toContain(`missing ${unchanged.path}`);
		expect(source.trouble()).toBeUndefined();
	});
});
