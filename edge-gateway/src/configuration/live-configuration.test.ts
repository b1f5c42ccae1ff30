import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CheckpointFile } from '@crowdvision/log';
import { createLogger } from '@crowdvision/service-kit';
import { waitFor } from '@crowdvision/testing/wait';
import { expect, it, onTestFinished, vi } from 'vitest';
import { ConfigurationHistory } from './configuration-history.ts';
import type { GatewayConfig } from './gateway-config.ts';
import { LiveConfiguration } from './live-configuration.ts';

it('P11 a trial whose end cannot be written to a full disk goes on until it can, and the gateway with it', async () => {
	vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
	onTestFinished(() => void vi.useRealTimers());
	const dir = await mkdtemp(join(tmpdir(), 'crowdvision-live-'));
	onTestFinished(() => rm(dir, { recursive: true }));
	const path = join(dir, 'gateway.yaml');
	await writeFile(path, 'new');
	const config = { trialSeconds: 1 } as GatewayConfig;
	const confirmed: string[] = [];
	let full = true;
	const confirm = (text: string) => {
		if (full) throw new Error('ENOSPC');
		confirmed.push(text);
	};
	const live = LiveConfiguration.follow({
		path,
		inForce: { text: 'new', config },
		read: () => 'new',
		parse: () => config,
		filesOf: () => [],
		history: {
			good: 'old',
			beginTrial() {},
			suspendTrial() {},
			refuse() {},
			confirm,
		} as unknown as ConfigurationHistory,
		target: { update: async () => [], health: () => ({ troubles: new Map(), received: 0, rejected: 0, imbalance: 0 }) },
		logger: createLogger('test', 'silent'),
	});
	onTestFinished(() => live.close());
	vi.advanceTimersByTime(3000);
	expect(live.status.state).toBe('trial');
	full = false;
	vi.advanceTimersByTime(1000);
	expect([live.status.state, confirmed]).toEqual(['confirmed', ['new']]);
});

it('P11 a trial that ends while another text is being applied does not take the place of that text', async () => {
	vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
	onTestFinished(() => void vi.useRealTimers());
	const dir = await mkdtemp(join(tmpdir(), 'crowdvision-live-'));
	onTestFinished(() => rm(dir, { recursive: true }));
	const path = join(dir, 'gateway.yaml');
	await writeFile(path, 'new');
	const config = { trialSeconds: 4 } as GatewayConfig;
	const history = ConfigurationHistory.open(join(dir, 'kept'));
	history.confirm('old');
	const applied = Promise.withResolvers<string[]>();
	let applying = false;
	const live = LiveConfiguration.follow({
		path,
		inForce: { text: 'new', config },
		read: () => 'newest',
		parse: () => config,
		filesOf: () => [],
		history,
		target: {
			update() {
				applying = true;
				return applied.promise;
			},
			health: () => ({ troubles: new Map(), received: 0, rejected: 0, imbalance: 0 }),
		},
		logger: createLogger('test', 'silent'),
	});
	onTestFinished(() => {
		applied.resolve([]);
		return live.close();
	});
	await writeFile(path, 'newest');
	vi.advanceTimersByTime(2000);
	await waitFor('it to be applied', () => applying);
	vi.advanceTimersByTime(5000);
	// A gateway that is killed here finds at its start that it did not survive the newest text.
	expect(new CheckpointFile(join(dir, 'kept')).read().value).toMatchObject({ good: 'old', trial: expect.anything() });
	applied.resolve([]);
	await waitFor('it to pass a trial of its own', () => {
		vi.advanceTimersByTime(1000);
		return history.good === 'newest';
	});
});
