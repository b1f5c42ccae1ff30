import { type Membership, type RetainedBuilding, TABLES } from '@crowdvision/contracts';
import type { Service } from '@crowdvision/service-kit';
import { openServiceWorld, readingOf, type Served, type ServiceWorld } from '@crowdvision/testing/service-world';
import { afterEach, beforeEach } from 'vitest';
import { createSocket, type SocketOptions } from '../index.ts';
import { connectDashboard, type Dashboard } from './dashboard.ts';

/** A world with a museum and a zoo, new for each test of a file; the service runs once `begin` was called. */
export let world: ServiceWorld;
export let service: Served & { service: Service };
/** Number of readings that `next` has created, which is also the value of the next one. */
export let sent = 0;
const dashboards: Dashboard[] = [];

export const building = (id: string, domain: string): RetainedBuilding => ({
	id,
	name: id,
	domains: [domain],
	rooms: [{ id: 'hall', name: 'Hall', capacity: 100 }],
});
export const MEMBER: Membership = { domainName: 'museum', role: 'standard_customer' };

/** Opens a world before each test, and closes it and every dashboard afterwards. */
export function useMuseum(): void {
	beforeEach(() => openWorld());
	afterEach(async () => {
		for (const dashboard of dashboards.splice(0)) dashboard.close();
		await world.stop();
	});
}

export async function openWorld(options?: Parameters<typeof openServiceWorld>[0]): Promise<void> {
	sent = 0;
	world = await openServiceWorld(options);
}

/** Announces the buildings and starts the service. */
export async function begin(options?: SocketOptions): Promise<void> {
	await world.parts.bus.retain(TABLES.buildings, 'museum-1', JSON.stringify(building('museum-1', 'museum')));
	await world.parts.bus.retain(TABLES.buildings, 'zoo-1', JSON.stringify(building('zoo-1', 'zoo')));
	service = await world.serve((parts) => createSocket(parts, options));
}

/** Connects a dashboard with this token, or of a member of the museum. */
export async function open(
	token?: string,
	url = service.url,
	options?: Parameters<typeof connectDashboard>[2],
): Promise<Dashboard> {
	const dashboard = await connectDashboard(url, token ?? (await world.token(MEMBER)), options);
	dashboards.push(dashboard);
	return dashboard;
}

/** Readings of the museum; their values count up through the whole test. */
export const next = (count: number, more: object = {}) =>
	Array.from({ length: count }, () =>
		readingOf({ buildingId: 'museum-1', roomId: 'hall', metric: 'illuminance', value: sent++, ...more }),
	);
export const countUp = (from: number, to: number) => Array.from({ length: to - from }, (_, n) => from + n);
