import { describe, expect, it } from 'vitest';
import { fakeServices, settle } from '../testing/services.ts';
import { getBuildings, getInvitations } from './endpoints.ts';

describe('P14 a list that the page shows as a whole', () => {
	it.each([
		['/twin/buildings', 'buildings', getBuildings],
		['/auth/invitations', 'invitations', getInvitations],
	] as const)('%s is read to its last page', async (path, name, get) => {
		const services = fakeServices();
		const all = get();
		await services.next(`GET ${path}`).answer({ [name]: [{ id: 'a' }, { id: 'b' }], nextCursor: 'x/1' });
		await settle();
		await services.next(`GET ${path}?cursor=x%2F1`).answer({ [name]: [{ id: 'c' }], nextCursor: 'y' });
		await settle();
		await services.next(`GET ${path}?cursor=y`).answer({ [name]: [] });
		expect(await all).toEqual([{ id: 'a' }, { id: 'b' }, { id: 'c' }]);
	});
});
