import type { Membership } from '@crowdvision/contracts';
import { OPERATIONS, type Operation } from '@crowdvision/contracts/api';
import { waitFor } from '@crowdvision/testing/wait';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectDashboard } from '../../services/socket/src/testing/dashboard.ts';
import { BUILDINGS, type Campus, DOMAINS, type Marked, NOWHERE, openCampus, ROLES_OF_DOMAINS, sees } from './campus.ts';

/**
 * No account ever sees, changes or learns of a building outside of its domains: of random accounts and requests, on
 * HTTP and on Socket.IO, in all services.
 */

const RUNS = 60;
let campus: Campus;
let before: Map<string, string>;

beforeAll(async () => {
	campus = await openCampus();
	before = new Map(
		await Promise.all(BUILDINGS.map(async (building) => [building.id, await campus.snapshot(building)] as const)),
	);
}, 60_000);
afterAll(() => campus?.stop());

const someMemberships: fc.Arbitrary<Membership[]> = fc.uniqueArray(
	fc.record({ domainName: fc.constantFrom(...DOMAINS), role: fc.constantFrom(...ROLES_OF_DOMAINS) }),
	{ selector: ({ domainName }) => domainName, maxLength: 3 },
);

/** Every request there is but those to auth, which knows domains and no buildings, and but the way in for devices. */
const REQUESTS: Operation[] = [
	...OPERATIONS.twin,
	...OPERATIONS.notification,
	...OPERATIONS.llm,
	...OPERATIONS.gateway,
].filter(({ path }) => path !== '/ingest');
const isOfAlert = (operation: Operation) => operation.path.startsWith('/notification/alerts/');

/** Bodies that are valid, so that it is not the body which is refused; they name what belongs to `target`. */
function bodyOf({ method, path }: Operation, target: Marked): unknown {
	if (path === '/twin/buildings' && method === 'post') {
		return { id: 'b-made-up', domains: target.domains, rooms: [roomOf('hall')] };
	}
	if (path.endsWith('/thresholds')) return { building: { co2: { max: 900 } }, rooms: {} };
	if (path.endsWith('/columns')) return { columns: ['co2'] };
	if (path.endsWith('/sensors')) return { sensorId: 'another', roomId: target.roomId };
	if (path.endsWith('/rooms/{roomId}')) return { capacity: 3 };
	if (path === '/twin/buildings/{id}') return { name: 'Mine now', rooms: [roomOf('mine')] };
	if (path === '/llm/ask') return { question: 'How many people are in each room, and which alerts are there?' };
	if (path === '/notification/trigger') return { domainName: target.domains[0], message: 'hello' };
	return {};
}
const roomOf = (id: string) => ({
	id,
	capacity: 1,
	position: { x: 0, y: 0, z: 0 },
	dimensions: { width: 1, height: 1, depth: 1 },
});

/** The request aimed at `target`, or where that is undefined at what does not exist. */
function aim(operation: Operation, target: Marked, exists: boolean): { method: string; path: string; body?: unknown } {
	const values: Record<string, string> = {
		id: isOfAlert(operation)
			? exists
				? campus.alertIds.get(target.id)!
				: 'no-such-alert'
			: exists
				? target.id
				: NOWHERE,
		roomId: target.roomId,
		sensorId: target.sensorId,
	};
	const path = operation.path.replace(/\{(\w+)\}/g, (_, name: string) => values[name] ?? 'x');
	const query = new URLSearchParams();
	for (const name of (operation.query as { required?: string[] } | undefined)?.required ?? [])
		query.set(name, name === 'metric' ? 'peopleCount' : target.sensorId);
	if (operation.query && 'room' in operation.query.properties) query.set('room', target.roomId);
	const body = operation.method === 'get' || operation.method === 'delete' ? undefined : bodyOf(operation, target);
	return {
		method: operation.method.toUpperCase(),
		path: query.size > 0 ? `${path}?${query}` : path,
		...(body !== undefined && { body }),
	};
}

const secretsIn = (text: string, building: Marked, request: string) =>
	building.secrets.filter((secret) => text.includes(secret) && !request.includes(secret));

describe('tenancy', () => {
	it('shows no account a building outside its domains over HTTP, and lets none change it', async () => {
		const request = fc.record({ operation: fc.constantFrom(...REQUESTS), target: fc.constantFrom(...BUILDINGS) });
		let asked = 0;
		await fc.assert(
			fc.asyncProperty(
				someMemberships,
				fc.array(request, { minLength: 4, maxLength: 12 }),
				async (memberships, requests) => {
					const token = await campus.token(memberships);
					for (const { operation, target } of requests) {
						const isOwn = sees(memberships, target);
						// What an account may do to its own buildings is the subject of other tests.
						if (isOwn && operation.method !== 'get') continue;
						const { method, path, body } = aim(operation, target, true);
						const reply = await campus.ask(token, method, path, body);
						asked++;
						for (const building of BUILDINGS.filter((one) => !sees(memberships, one))) {
							expect(secretsIn(reply.text, building, path + JSON.stringify(body)), `${method} ${path}`).toEqual([]);
						}
						if (isOwn || !/\{id\}/.test(operation.path)) continue;
						const nothing = aim(operation, target, false);
						const other = await campus.ask(token, method, nothing.path, nothing.body);
						expect({ ...reply, request: `${method} ${path}` }).toEqual({ ...other, request: `${method} ${path}` });
						expect(reply.status).toBeGreaterThanOrEqual(400);
					}
				},
			),
			{ numRuns: RUNS },
		);
		expect(asked).toBeGreaterThan(RUNS);
		for (const building of BUILDINGS) expect(await campus.snapshot(building)).toBe(before.get(building.id));
	});

	it('answers every request for a foreign building in the same words as for one that does not exist', async () => {
		const token = await campus.token([{ domainName: 'north', role: 'business_admin' }]);
		const target = BUILDINGS.find(({ id }) => id === 'b-cedar')!;
		for (const operation of REQUESTS.filter(({ path }) => path.includes('{id}'))) {
			const [foreign, none] = [aim(operation, target, true), aim(operation, target, false)];
			const reply = await campus.ask(token, foreign.method, foreign.path, foreign.body);
			expect(reply, `${foreign.method} ${foreign.path}`).toEqual(
				await campus.ask(token, none.method, none.path, none.body),
			);
			expect(reply.status, `${foreign.method} ${foreign.path}`).toBe(404);
		}
	});

	it('shows each account its own buildings in lists, answers and devices, so the tests above can fail', async () => {
		for (const building of BUILDINGS) {
			const owner = await campus.ownerOf(building);
			const seen = await Promise.all(
				['/twin/buildings', '/notification/alerts', '/gateway/rejected', '/gateway/devices'].map((path) =>
					campus.ask(owner, 'GET', path),
				),
			);
			const told = await campus.ask(owner, 'POST', '/llm/ask', {
				question: `How many people are in Hall of ${building.id.slice(2)}?`,
			});
			expect(seen[0]!.text).toContain(building.id);
			expect(seen[1]!.text).toContain(building.id);
			expect(seen[2]!.text).toContain(building.sensorId);
			expect(seen[3]!.text).toContain(building.sensorId);
			expect(told.text).toContain('11 people');
		}
	});

	it('tells a stranger only that a building id is taken, and nothing else of that building', async () => {
		const token = await campus.token([{ domainName: 'north', role: 'business_admin' }]);
		const make = (id: string) =>
			campus.ask(token, 'POST', '/twin/buildings', { id, domains: ['north'], rooms: [roomOf('hall')] });
		const replies = await Promise.all(['b-cedar', 'b-dogwood', 'b-elder'].map(make));
		expect(new Set(replies.map(({ text }) => text)).size).toBe(1);
		expect(replies[0]!.status).toBe(409);
	});

	it('sends no account anything of a building outside its domains over Socket.IO', async () => {
		const everybody = await campus.token(DOMAINS.map((domainName) => ({ domainName, role: 'business_admin' })));
		let value = 11;
		await fc.assert(
			fc.asyncProperty(someMemberships, async (memberships) => {
				const account = await connectDashboard(campus.http, await campus.token(memberships));
				const control = await connectDashboard(campus.http, everybody);
				try {
					const nowhere = await account.subscribe(NOWHERE);
					for (const building of BUILDINGS) {
						expect((await control.subscribe(building.id)).ok).toBe(true);
						const outcome = await account.subscribe(building.id);
						if (sees(memberships, building)) expect(outcome.ok).toBe(true);
						else expect(outcome).toEqual(nowhere);
					}
					// Overcrowded and not, by turns: each count opens or ends an alert.
					value = value === 11 ? 1 : 11;
					await Promise.all(BUILDINGS.map((building) => campus.count(building, value)));
					const ids = (list: { buildingId: string }[]) => new Set(list.map(({ buildingId }) => buildingId));
					const all = new Set(BUILDINGS.map(({ id }) => id));
					await waitFor(
						'every event to reach the accounts that may see it',
						() => ids(control.readings).isSupersetOf(all) && ids(control.alerts).isSupersetOf(all),
					);
					// Not before: what a device said that has gone since opens and ends no alert.
					await Promise.all(BUILDINGS.map((building) => campus.comeAndGo(building)));
					await waitFor(
						'the devices',
						() => new Set(control.devices.map(({ sensorId }) => sensorId)).size === BUILDINGS.length,
					);
					const own = BUILDINGS.filter((building) => sees(memberships, building));
					await waitFor(
						'its own',
						() => ids(account.readings).size === own.length && ids(account.alerts).size === own.length,
					);
					// What was sent before the answer to this has arrived with it.
					await account.subscribe(NOWHERE);
					const heard = JSON.stringify([account.readings, account.alerts, account.devices, account.superseded]);
					for (const building of BUILDINGS)
						expect(
							building.secrets.some((secret) => heard.includes(secret)),
							building.id,
						).toBe(own.includes(building));
				} finally {
					account.close();
					control.close();
				}
			}),
			{ numRuns: 6 },
		);
	});
});
