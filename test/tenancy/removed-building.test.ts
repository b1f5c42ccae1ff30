import type { Alert, Answer, BuildingState, Conversation } from '@crowdvision/contracts';
import { waitFor } from '@crowdvision/testing/wait';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectDashboard } from '../support/live-dashboards.ts';
import { COMPOSITIONS, type Site } from './site.ts';

const PATIENCE_MS = 60_000;
const annex = (domain: string) => ({
	id: 'annex',
	domains: [domain],
	rooms: [
		{
			id: 'board',
			name: 'Board room',
			capacity: 10,
			position: { x: 0, y: 0, z: 0 },
			dimensions: { width: 4, height: 3, depth: 4 },
		},
	],
});
const QUESTION = { question: 'How many people are in the Board room?' };

/** One tenant of a site: its owner, and its device in the building. */
class Tenant {
	readonly #site: Site;
	readonly #domain: string;
	readonly #token: Promise<string>;

	constructor(site: Site, domain: string) {
		this.#site = site;
		this.#domain = domain;
		this.#token = site.token([{ domainName: domain, role: 'business_admin' }], `owner-of-${domain}`);
	}

	get token(): Promise<string> {
		return this.#token;
	}

	async call<T>(method: string, path: string, body?: unknown): Promise<T> {
		return this.#site.call<T>(await this.#token, method, path, body);
	}

	async status(method: string, path: string, body?: unknown): Promise<number> {
		return (await this.#site.ask(await this.#token, method, path, body)).status;
	}

	/** Sends readings of the tenant's device once the gateway knows its building. */
	async count(...values: number[]): Promise<void> {
		for (const value of values) {
			await waitFor('the reading to be taken', async () => (await this.send('peopleCount', value)) === 202);
		}
	}

	/** Sends one reading, and resolves with the status of the answer. */
	async send(metric: string, value: number): Promise<number> {
		const device = await this.#site.tokens.signDevice({
			id: `device-of-${this.#domain}`,
			domainName: this.#domain,
			buildingId: 'annex',
		});
		const reading = { sensorId: `eye-${this.#domain}`, buildingId: 'annex', roomId: 'board', metric, value };
		return (await this.#site.ask(device, 'POST', '/ingest', reading)).status;
	}

	async alerts(): Promise<Alert[]> {
		return (await this.call<{ alerts: Alert[] }>('GET', '/notification/alerts')).alerts;
	}

	async value(): Promise<number | undefined> {
		const state = await this.call<BuildingState>('GET', '/twin/buildings/annex/state');
		return state.rooms.board?.values.peopleCount?.value;
	}

	/** Every reading that a dashboard gets from the beginning of the stream. */
	async everything(): Promise<string> {
		const dashboard = await connectDashboard(this.#site.http, await this.#token);
		try {
			expect(await dashboard.subscribe('annex', '0')).toMatchObject({ ok: true });
			// The answer to this comes after what the first subscription had to catch up on.
			await dashboard.subscribe('annex', '0');
			await dashboard.subscribe('nowhere');
			return JSON.stringify([dashboard.readings, dashboard.alerts, dashboard.devices, dashboard.superseded]);
		} finally {
			dashboard.close();
		}
	}
}

describe.each(COMPOSITIONS)('P14 a building that is removed and made again by another domain (%s)', (_, open) => {
	let site: Site;
	beforeAll(async () => {
		site = await open();
	}, 180_000);
	afterAll(() => site?.stop());

	it('shows nothing of before in any service, and opens alerts of its own', { timeout: 120_000 }, async () => {
		const [north, south] = [new Tenant(site, 'north'), new Tenant(site, 'south')];
		await north.call('POST', '/twin/buildings', annex('north'));
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
		await north.call('DELETE', '/twin/buildings/annex');

		await south.call('POST', '/twin/buildings', annex('south'));
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
