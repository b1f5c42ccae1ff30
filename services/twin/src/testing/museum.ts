import { randomUUID } from 'node:crypto';
import type { BuildingState, BuildingSummary, HistoryPoint, Membership } from '@crowdvision/contracts';
import { type Mongod, startMongod, whyNoMongo } from '@crowdvision/testing/mongod';
import { openServiceWorld, type Served, type ServiceWorld } from '@crowdvision/testing/service-world';
import { waitFor } from '@crowdvision/testing/wait';
import { afterAll, afterEach, beforeAll, beforeEach, describe } from 'vitest';
import { createTwin, type Twin } from '../index.ts';

/** A twin served over HTTP, new for each test of a file. */
export let world: ServiceWorld;
export let twin: Served & { service: Twin };
/** The token of a business_admin of the museum's domain. */
export let admin: string;

export const ADMIN: Membership = { domainName: 'museum', role: 'business_admin' };
export const room = (id: string, more: object = {}) => ({
	id,
	capacity: 10,
	position: { x: 0, y: 0, z: 0 },
	dimensions: { width: 5, height: 3, depth: 5 },
	...more,
});
export const MUSEUM = {
	id: 'museum-1',
	name: 'Museum',
	rooms: [room('hall'), room('attic', { name: 'Attic', maxTemperature: 28, floor: 2 })],
};
export const HALL = { buildingId: 'museum-1', roomId: 'hall' };

/** Starts a twin before each test and stops it afterwards; on MongoDB where `mongoUrl` is given. */
export function useTwin(mongoUrl?: () => string): void {
	beforeEach(async () => {
		world = await openServiceWorld(mongoUrl ? { mongoUrl: mongoUrl() } : {});
		await serveTwin();
		admin = await world.token(ADMIN);
	});
	afterEach(() => world.stop());
}

/** Runs a suite on SQLite and on MongoDB; each call of `mongoUrl` returns a new empty database. */
export function onEachEngine(suite: (mongoUrl?: () => string) => void): void {
	describe('on SQLite', () => suite());
	const why = whyNoMongo();
	describe.skipIf(why)(`on MongoDB${why ? `: ${why}` : ''}`, () => {
		let mongod: Mongod | undefined;
		beforeAll(async () => {
			if (!process.env.MONGO_URL) mongod = await startMongod();
		});
		afterAll(() => mongod?.stop());
		suite(() => {
			const url = new URL(process.env.MONGO_URL ?? mongod!.url);
			url.pathname = `/twin-test-${randomUUID()}`;
			return url.href;
		});
	});
}

/** Starts a twin on the data of the one before. */
export async function serveTwin(): Promise<void> {
	twin = await world.serve(createTwin);
}

export const upload = (body: unknown = MUSEUM, token = admin) =>
	twin.call<BuildingSummary>('POST', '/buildings', { token, body });
export const state = async (token = admin) =>
	(await twin.call<BuildingState>('GET', '/buildings/museum-1/state', { token })).body;
/** The state once everything up to `position` is stored. */
export const stateAt = (position: string) =>
	waitFor(`the state at ${position}`, async () => {
		const now = await state();
		return world.parts.bus.compare(now.cursor, position) >= 0 ? now : undefined;
	});
export const history = (query: string, token = admin) =>
	twin.call<{ points: HistoryPoint[] }>('GET', `/buildings/museum-1/history?${query}`, { token });
