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
	it('reaches the parts that it is of, and those that read files, and no other', async () => {
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

	it('is taken by all or by none', async () => {
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

	it('that is refused is taken back by all who can, and told again to who cannot', async () => {
		const limit = part((c) => c.messagesPerSecond);
		let broken = true;
		const told: number[] = [];
		const refusing: LivePart = {
			of: (c) => c.mqttPort,
			update: async (c) => {
				told.push(c.mqttPort);
				if (broken) throw new Error(`no ${c.mqttPort}`);
			},
		};
		const parts = new LiveParts(config({}), [limit.part, refusing], {});
		await expect(parts.update(config({ messagesPerSecond: 9, mqttPort: 80 }))).rejects.toThrow(
			'no 80; and not everything could be taken back: no 1',
		);
		expect(limit.seen).toEqual([9, 1]);
		broken = false;
		await parts.update(config({}));
		await parts.update(config({}));
		expect(told).toEqual([80, 1, 1]);
		expect(limit.seen).toEqual([9, 1]);
	});

	it('tells which options count from the next start only, until they are as at the start again', async () => {
		const parts = new LiveParts(config({}), [], { gatewayId: (c) => c.gatewayId });
		expect(await parts.update(config({ gatewayId: 'other' }))).toEqual(['gatewayId']);
		expect(await parts.update(config({ gatewayId: 'other', messagesPerSecond: 5 }))).toEqual(['gatewayId']);
		expect(await parts.update(config({}))).toEqual([]);
	});
});
