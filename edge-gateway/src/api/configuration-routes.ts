import { type ConfigurationStatus, CrowdVisionError } from '@crowdvision/contracts';
import type { Router } from '@crowdvision/service-kit';
import type { Registry } from '../registry.ts';
import { hasMachineRole } from './access.ts';

/** `GET /config`: which configuration is in force, and why the file is not. For admins of the machine. */
export function addConfigurationRoutes(
	router: Router,
	registry: Registry,
	status: () => ConfigurationStatus | undefined,
): void {
	router.get('/config', (request, response) => {
		if (!hasMachineRole(request, registry, 'business_admin'))
			throw new CrowdVisionError('forbidden', 'Only admins of this machine may see its configuration');
		const now = status();
		if (!now) throw new CrowdVisionError('not_found', 'This gateway does not follow its gateway.yaml');
		response.json(now);
	});
}
