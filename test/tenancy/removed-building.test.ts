import type { Answer, Conversation } from '@crowdvision/contracts';
import { waitFor } from '@crowdvision/testing/wait';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { COMPOSITIONS, type Site } from './site.ts';
import { Tenant } from './tenant.ts';

const PATIENCE_MS = 60_000;
const QUESTION = { question: 'How many people are in the Board room of annex?' };

describe.each(COMPOSITIONS)('P14 a building that is removed and made again by another domain (%s)', (_, open) => {
	let site: Site;
	beforeAll(async () => {
		site = await open();
	}, 180_000);
	afterAll(() => site?.stop());

	it('shows nothing of before in any service, and opens alerts of its own', { timeout: 120_000 }, async () => {
		const [north, south] = [new Tenant(site, 'north'), new Tenant(site, 'south')];
		await north.make();
		await north.call('POST', '/twin/buildings/annex/sensors', { sensorId: 'eye-north', roomId: 'board' });
		await north.count(22, 3, 17);
		await waitFor('the alerts', async () => (await north.alerts()).length === 2, PATIENCE_MS);
		await waitFor(
			'the answer',
			async () => (await north.call<Answer>('POST', '/llm/ask', QUESTION)).answer.includes('17 people'),
			PATIENCE_MS,
		);
		await waitFor('the state', async () => (await north.value()) === 17, PATIENCE_MS);
		await waitFor('the readings', async () => (await north.everything()).includes('"value":17'), PATIENCE_MS);
		const [open] = (await north.alerts()).filter(({ state }) => state === 'open');
		await north.remove();

		await south.make();
		await waitFor('south to see its building', async () => (await south.everything()) !== '', PATIENCE_MS);
		expect(await south.alerts()).toEqual([]);
		expect(await south.status('POST', `/notification/alerts/${open!.id}/ack`)).toBe(404);
		expect(await south.value()).toBeUndefined();
		expect(await south.everything()).toBe('[[],[],[],[]]');
		expect((await south.call<Answer>('POST', '/llm/ask', QUESTION)).answer).not.toMatch(/\d+ people/);
		expect(await south.call('POST', '/llm/ask', { question: 'Which alerts are there?' })).toMatchObject({
			citations: [],
		});
		const { points } = await south.call<{ points: { value: number | null }[] }>(
			'GET',
			'/twin/buildings/annex/history?metric=peopleCount&room=board&agg=count',
		);
		expect(points.reduce((sum, { value }) => sum + (value ?? 0), 0)).toBe(0);
		expect(await south.call('GET', '/twin/buildings/annex/sensors')).toEqual({ sensors: [] });
		expect(JSON.stringify(await south.call('GET', '/gateway/devices'))).not.toContain('north');
		expect(JSON.stringify(await south.call('GET', '/gateway/rejected'))).not.toContain('north');
		expect(JSON.stringify(await south.call('GET', '/gateway/trace?sensor=eye-north'))).not.toContain('board');
		expect(await south.call('GET', '/gateway/rooms/annex/board/audit')).toEqual({ changes: [], proposals: [] });

		// North's device is still there, and is refused.
		expect(await north.send('co2', 700)).toBe(403);
		const { conversations } = await north.call<{ conversations: Conversation[] }>('GET', '/llm/conversations');
		expect(JSON.stringify(conversations)).not.toContain('17 people');

		await south.count(40);
		const [own] = await waitFor(
			"south's own alert",
			async () => {
				const alerts = await south.alerts();
				return alerts.length > 0 && alerts;
			},
			PATIENCE_MS,
		);
		expect(own).toMatchObject({ state: 'open', value: 40, domainNames: ['south'] });
		expect(await north.alerts()).toEqual([]);
		await south.call('POST', `/notification/alerts/${own!.id}/ack`);
		await waitFor('its state', async () => (await south.value()) === 40, PATIENCE_MS);
		expect(await south.everything()).toContain('"value":40');
	});
});
