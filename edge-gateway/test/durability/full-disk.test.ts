import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Bus } from '@crowdvision/bus';
import { createLogger } from '@crowdvision/service-kit';
import { expect, it } from 'vitest';
import { Availability } from '../../src/devices/availability.ts';
import { Quarantine } from '../../src/devices/quarantine.ts';
import { Timeouts } from '../../src/devices/timeouts.ts';
import { Registry } from '../../src/registry.ts';

/** A bus that retains one building and one sensor of the same name. */
const bus = {
	watch: async (_table: string, take: (id: string, value: string) => void) => {
		take('b1', JSON.stringify({ id: 'b1', domains: [] }));
		return { close: async () => undefined };
	},
} as unknown as Bus;

it.each<[string, (path: string) => Promise<{ close(): Promise<void> }>]>([
	[
		'the availability of sensors',
		async (path) => {
			const logger = createLogger('test', 'silent');
			const availability = Availability.open({
				path,
				domainsOf: () => [],
				gatewayId: 'pi',
				timeouts: new Timeouts({}),
				now: () => 1000,
				logger,
			});
			availability.reported('door', 'online', 'acme');
			return availability;
		},
	],
	[
		'the registry',
		async (path) => {
			const registry = Registry.open(path);
			await registry.follow(bus);
			return registry;
		},
	],
	[
		'the quarantine',
		async (path) => {
			const quarantine = Quarantine.open(path);
			quarantine.record({
				sensorId: 's',
				transport: 'http',
				source: '/',
				sender: 'd',
				raw: Buffer.from('x'),
				at: 1000,
			});
			return quarantine;
		},
	],
])('a full disk does not keep %s from closing, nor what is closed after it', async (_what, open) => {
	const dir = await mkdtemp(join(tmpdir(), 'crowdvision-full-'));
	const part = await open(join(dir, 'file'));
	await rm(dir, { recursive: true });
	await expect(part.close()).resolves.toBeUndefined();
});
