import { callerOf, jsonBody, type RetainedTable, type Router, tagOf } from '@crowdvision/service-kit';
import type { Policies } from './policies.ts';

export interface PolicyRouteParts {
	policies: Policies;
	policyTable: Pick<RetainedTable, 'changed'>;
}

/** `/buildings/{id}/policy`. */
export function addPolicyRoutes(router: Router, { policies, policyTable }: PolicyRouteParts): void {
	router.get('/buildings/:id/policy', async (request, response) => {
		const policy = await policies.get(String(request.params.id), callerOf(request).memberships);
		response.set('ETag', tagOf(policy)).json(policy);
	});

	router.put('/buildings/:id/policy', jsonBody(), async (request, response) => {
		const id = String(request.params.id);
		const { memberships } = callerOf(request);
		const policy = await policies.set(id, request.body, { memberships, ifMatch: request.headers['if-match'] });
		await policyTable.changed(id);
		response.set('ETag', tagOf(policy)).json(policy);
	});
}
