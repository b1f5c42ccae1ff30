import { type ConfigurationStatus, CrowdVisionError } from '@crowdvision/contracts';
import type { Router } from '@crowdvision/service-kit';
import type { Registry } from '../registry.ts';
import { isOfMachine } from './access.ts';

/**
 * `GET /config`: what is in force, and why the file is not, where it is not. It is of the whole machine, and so its
 * admin's.
 */
export function addConfigurationRoutes(
	router: Router,
	registry: Registry,
	status: () => ConfigurationStatus | undefined,
): void {
	router.get('/config', (request, response) => {
		if (!isOfMachine(request, registry, 'business_admin'))
			throw new CrowdVisionError('forbidden', 'This is for the admins of the machine');
		const now = status();
		if (!now) throw new CrowdVisionError('not_found', 'This gateway does not follow its gateway.yaml');
		response.json(now);
	});
}
