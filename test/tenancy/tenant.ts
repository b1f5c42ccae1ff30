/** A tenant with a building of one room, for tests that name every step. */
import type { Alert, BuildingState } from '@crowdvision/contracts';
import { waitFor } from '@crowdvision/testing/wait';
import { expect } from 'vitest';
import { connectDashboard } from '../support/live-dashboards.ts';
import type { Site } from './site.ts';

const buildingOf = (id: string, domain: string) => ({
	id,
	domains: [domain],
	rooms: [
		{
			id: 'board',
			name: `Board room of ${id}`,
			capacity: 10,
			position: { x: 0, y: 0, z: 0 },
			dimensions: { width: 4, height: 3, depth: 4 },
		},
	],
});

/** One tenant of a site: its owner, and its device in the building. */
export class Tenant {
	readonly #site: Site;
	readonly #domain: string;
	readonly #buildingId: string;
	readonly #token: Promise<string>;

	constructor(site: Site, domain: string, buildingId = 'annex') {
		this.#site = site;
		this.#domain = domain;
		this.#buildingId = buildingId;
		this.#token = site.token([{ domainName: domain, role: 'business_admin' }], `owner-of-${domain}`);
	}

	get token(): Promise<string> {
		return this.#token;
	}

	/** Makes the building. */
	async make(): Promise<void> {
		await this.call('POST', '/twin/buildings', buildingOf(this.#buildingId, this.#domain));
	}

	async remove(): Promise<void> {
		await this.call('DELETE', `/twin/buildings/${this.#buildingId}`);
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
			buildingId: this.#buildingId,
		});
		const reading = { sensorId: `eye-${this.#domain}`, buildingId: this.#buildingId, roomId: 'board', metric, value };
		return (await this.#site.ask(device, 'POST', '/ingest', reading)).status;
	}

	async alerts(): Promise<Alert[]> {
		return (await this.call<{ alerts: Alert[] }>('GET', '/notification/alerts')).alerts;
	}

	async value(): Promise<number | undefined> {
		const state = await this.call<BuildingState>('GET', `/twin/buildings/${this.#buildingId}/state`);
		return state.rooms.board?.values.peopleCount?.value;
	}

	/** Every reading that a dashboard gets from the beginning of the stream. */
	async everything(): Promise<string> {
		const dashboard = await connectDashboard(this.#site.http, await this.#token);
		try {
			expect(await dashboard.subscribe(this.#buildingId, '0')).toMatchObject({ ok: true });
			// The answer to this comes after what the first subscription had to catch up on.
			await dashboard.subscribe(this.#buildingId, '0');
			await dashboard.subscribe('nowhere');
			return JSON.stringify([dashboard.readings, dashboard.alerts, dashboard.devices, dashboard.superseded]);
		} finally {
			dashboard.close();
		}
	}
}
