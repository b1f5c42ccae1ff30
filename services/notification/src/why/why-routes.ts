import { type Alert, CrowdVisionError } from '@crowdvision/contracts';
import { type AccountDirectory, callerOf, languageOf, type Router, requireRole } from '@crowdvision/service-kit';
import type { Deliveries } from '../delivery/deliveries.ts';
import type { Recipients } from '../recipients/recipients.ts';
import { whyOf } from './why.ts';

export interface WhyRouteParts {
	deliveries: Deliveries;
	recipients: Recipients;
	accounts: AccountDirectory;
	find: (alertId: string) => Promise<Alert | undefined>;
}

const MAX_ID = 100;

/** `/alerts/{id}/why`; mount it behind the guard of `/alerts`. */
export function addWhyRoutes(router: Router, { deliveries, recipients, accounts, find }: WhyRouteParts): void {
	router.get('/alerts/:id/why', async (request, response) => {
		const caller = callerOf(request);
		const alertId = String(request.params.id);
		const alert = await find(alertId);
		const owners = alert ? recipients.ownersOf(alert) : [];
		requireRole(caller, owners, 'standard_customer', 'such alert');
		const { account: asked = caller.sub } = request.query;
		if (typeof asked !== 'string' || asked === '' || asked.length > MAX_ID)
			throw new CrowdVisionError('bad_request', 'account must be the id of an account', { path: '/account' });
		if (asked !== caller.sub) requireRole(caller, owners, 'business_staff', 'such alert');
		const rows = (await deliveries.ofAlert(alertId)).filter(({ value }) => value.accountId === asked);
		const account = accounts.get(asked);
		const preferences = await recipients.preferencesOf(asked, owners);
		const language = accounts.get(caller.sub)?.language ?? languageOf(request);
		response.json(whyOf({ alertId, accountId: asked, owners, account, preferences, rows }, language));
	});
}
