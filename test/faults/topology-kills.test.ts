import { type Alert, TRANSPORTS } from '@crowdvision/contracts';
import { type ConnectionWatch, watchConnections } from '@crowdvision/testing/connections';
import { whyNoMongod } from '@crowdvision/testing/mongod';
import { trust } from '@crowdvision/testing/trust';
import { waitFor } from '@crowdvision/testing/wait';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { request } from '../e2e/world.ts';
import { startTopology, type Topology } from '../support/topology.ts';
import { type Follower, follow } from '../topology/follower.ts';
import { BUILDING, type Load, startLoad } from './load.ts';
import { flawless, StreamAudit } from './stream-audit.ts';

const why = whyNoMongod();
const DASHBOARDS = 4;
/** Twenty sensors: 80 readings a second. */
const INTERVAL_MS = 250;
const FEW = 5;
const CROWDED = 'hall';

describe.skipIf(why)(`the topology, each of its processes killed -9 under load${why ? `: ${why}` : ''}`, () => {
	let topology: Topology;
	let watch: ConnectionWatch;
	let load: Load;
	let token: string;
	const dashboards: Follower[] = [];
	const ask = <T>(method: string, path: string, body?: unknown) =>
		request<T>(topology.http, method, path, { token, body });
	const alertsOf = async (roomId: string) =>
		(await ask<{ alerts: Alert[] }>('GET', '/notification/alerts')).alerts.filter((alert) => alert.roomId === roomId);

	beforeAll(async () => {
		topology = await startTopology();
		trust(topology.caFile);
		watch = watchConnections(topology.programs);
		const { tokens, http, mqtt, serial } = topology;
		token = await tokens.signAccount({
			id: 'operator',
			name: 'Ada',
			memberships: [{ domainName: 'works', role: 'business_admin' }],
		});
		const rooms = BUILDING.rooms.map((room, x) => ({
			...room,
			position: { x: 10 * x, y: 0, z: 0 },
			dimensions: { width: 5, height: 3, depth: 5 },
		}));
		await ask('POST', '/twin/buildings', { id: BUILDING.id, domains: ['works'], rooms });
		for (let i = 0; i < DASHBOARDS; i++) dashboards.push(follow(http, token, BUILDING.id));
		await waitFor('the dashboards', () => dashboards.every(({ connections }) => connections > 0));
		const links = {
			http: { url: http },
			socketio: { url: http },
			mqtt: { url: mqtt },
			serial: { path: serial.sensors },
		};
		const said = () => topology.parts.map((part) => `${part.name}: ${part.said()}`).join('\n');
		load = await startLoad({ seed: 5, gateway: { tokens, links, said }, intervalMs: INTERVAL_MS });
		for (const { id } of BUILDING.rooms) load.fleet.crowd(id, FEW);
	}, 180_000);
	afterAll(async () => {
		watch?.stop();
		for (const dashboard of dashboards) dashboard.close();
		await load?.stop();
		await topology?.stop();
	});

	it('loses nothing that was acknowledged, stores and alerts once, and every dashboard catches up', async () => {
		const { capacity } = BUILDING.rooms.find(({ id }) => id === CROWDED)!;
		let breaches = 0;
		for (const [number, part] of topology.parts.entries()) {
			const crowd = number % 2 === 0;
			load.fleet.crowd(CROWDED, crowd ? capacity + 10 : FEW);
			if (crowd) breaches++;
			await part.killAndRestart();
			await load.flowing(load.counts());
			const wanted = crowd ? 'open' : 'resolved';
			await waitFor(
				`the alert to be ${wanted} after ${part.name} was killed`,
				async () => (await alertsOf(CROWDED))[0]?.state === wanted,
				40_000,
			);
		}
		await topology.ready();
		load.fleet.crowd(CROWDED, FEW);
		await waitFor(
			'the last alert to be resolved',
			async () => (await alertsOf(CROWDED))[0]?.state === 'resolved',
			40_000,
		);
		await load.drain();

		const { size } = load.acknowledged;
		const audit = new StreamAudit(topology.redis.url);
		await waitFor('the stream to have everything', async () => {
			await audit.catchUp();
			return audit.entries >= size;
		});
		expect(audit.findings(load.acknowledged)).toEqual(flawless(size));
		for (const transport of TRANSPORTS) expect(load.counts()[transport], transport).toBeGreaterThan(100);

		await waitFor('twin to have everything', async () => (await stored()) >= size, 20_000);
		expect(await stored()).toBe(size);
		for (const dashboard of dashboards) {
			await waitFor('a dashboard to have everything', () => dashboard.ids.length >= size, 20_000);
			expect(new Set(dashboard.ids).size).toBe(size);
			expect(dashboard.ids.length).toBe(size);
			expect(dashboard.ids).toEqual(inOrder(dashboard.ids));
			expect(dashboard.superseded).toEqual([]);
			// Caddy was killed, which cuts all of them.
			expect(dashboard.connections).toBeGreaterThan(1);
		}
		expect((await alertsOf(CROWDED)).map(({ state }) => state)).toEqual(
			Array.from({ length: breaches }, () => 'resolved'),
		);
	}, 400_000);

	it('keeps every service from calling another: each only calls Redis and its own database', () => {
		for (const { name, mayCall } of topology.programs) {
			const called = [...watch.seen.get(name)!];
			expect(called, name).toContain(topology.redis.port);
			expect(mayCall, name).toEqual(expect.arrayContaining(called));
		}
	});

	/** How many readings there are in history. */
	async function stored(): Promise<number> {
		let sum = 0;
		const metrics = new Set(
			[...load.acknowledged.values()].map(({ metric }) => (/^people(In|Out)$/.test(metric) ? 'peopleCount' : metric)),
		);
		for (const { id } of BUILDING.rooms) {
			for (const metric of metrics) {
				const path = `/twin/buildings/${BUILDING.id}/history?room=${id}&metric=${metric}&agg=count&bucket=1h`;
				for (const { value } of (await ask<{ points: { value: number | null }[] }>('GET', path)).points)
					sum += value ?? 0;
			}
		}
		return sum;
	}
});

/** An id ends with the reading's place in the gateway's log. */
const inOrder = (ids: readonly string[]) => {
	const place = (id: string) => Number(id.slice(id.lastIndexOf('-') + 1));
	return [...ids].sort((a, b) => place(a) - place(b));
};
