import { CrowdVisionError, ROLES } from '@crowdvision/contracts';
import { callerOf, type Router } from '@crowdvision/service-kit';
import type { ConfigurationStatus } from './live-configuration.ts';

/** `GET /config`: what is in force, and why the file is not, where it is not. It is of the whole machine, and so an admin's. */
export function addConfigurationRoutes(router: Router, status: () => ConfigurationStatus | undefined): void {
	router.get('/config', (request, response) => {
		if (!callerOf(request).memberships.some(({ role }) => ROLES[role] >= ROLES.business_admin)) {
			throw new CrowdVisionError('forbidden', 'This needs the role business_admin or a higher one');
		}
		const now = status();
		if (!now) throw new CrowdVisionError('not_found', 'This gateway does not follow its gateway.yaml');
		response.json(now);
	});
}
