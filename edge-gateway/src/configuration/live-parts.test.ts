import { describe, expect, it } from 'vitest';
import type { GatewayConfig } from './gateway-config.ts';
import { type LivePart, LiveParts } from './live-parts.ts';

const config = (more: Partial<GatewayConfig>) =>
	({ gatewayId: 'g', messagesPerSecond: 1, mqttPort: 1, ...more }) as GatewayConfig;

function part(of: LivePart['of'], more: Partial<LivePart> = {}) {
	const seen: unknown[] = [];
	const update = (next: GatewayConfig) => void seen.push(of(next));
	return { seen, part: { of, update, ...more } };
}

describe('P11 a change of the configuration', () => {
	it('reaches the parts that it concerns and those that read files, and no others', async () => {
		const [limit, port, files] = [
			part((c) => c.messagesPerSecond),
			part((c) => c.mqttPort),
			part((c) => c.serial, { readsFiles: true }),
		];
		const parts = new LiveParts(config({}), [limit.part, port.part, files.part], {});
		await parts.update(config({ messagesPerSecond: 2 }));
		expect([limit.seen, port.seen, files.seen]).toEqual([[2], [], [undefined]]);
		await parts.update(config({ messagesPerSecond: 2, mqttPort: 3 }));
		expect([limit.seen, port.seen]).toEqual([[2], [3]]);
	});

	it('is applied to all of them or to none', async () => {
		const limit = part((c) => c.messagesPerSecond);
		let port = 1;
		const refusing: LivePart = {
			of: (c) => c.mqttPort,
			update: async (c) => {
				if (c.mqttPort === 80) throw new Error('port 80 is taken');
				port = c.mqttPort;
			},
		};
		const parts = new LiveParts(config({}), [limit.part, refusing], {});
		await expect(parts.update(config({ messagesPerSecond: 9, mqttPort: 80 }))).rejects.toThrow('port 80 is taken');
		expect([limit.seen, port]).toEqual([[9, 1], 1]);
		await parts.update(config({ messagesPerSecond: 9 }));
		expect(limit.seen).toEqual([9, 1, 9]);
	});

	it('is undone in all parts when one refuses it, and applied again to a part that cannot undo it', async () => {
		const limit = part((c) => c.messagesPerSecond);
		let broken = true;
		const applied: number[] = [];
		const refusing: LivePart = {
			of: (c) => c.mqttPort,
			update: async (c) => {
				applied.push(c.mqttPort);
				if (broken) throw new Error(`no ${c.mqttPort}`);
			},
		};
		const parts = new LiveParts(config({}), [limit.part, refusing], {});
		await expect(parts.update(config({ messagesPerSecond: 9, mqttPort: 80 }))).rejects.toThrow(
			'no 80; and not everything could be undone: no 1',
		);
		expect(limit.seen).toEqual([9, 1]);
		broken = false;
		await parts.update(config({}));
		await parts.update(config({}));
		expect(applied).toEqual([80, 1, 1]);
		expect(limit.seen).toEqual([9, 1]);
	});

	it('reports the options that only count from the next start, until they are as at the start again', async () => {
		const parts = new LiveParts(config({}), [], { gatewayId: (c) => c.gatewayId });
		expect(await parts.update(config({ gatewayId: 'other' }))).toEqual(['gatewayId']);
		expect(await parts.update(config({ gatewayId: 'other', messagesPerSecond: 5 }))).toEqual(['gatewayId']);
		expect(await parts.update(config({}))).toEqual([]);
	});
});
