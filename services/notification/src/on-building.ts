import type { BuildingDirectory, Logger, RetainedTable } from '@crowdvision/service-kit';
import type { BuildingReviews } from './evaluation/building-reviews.ts';
import type { Policies } from './policy/policies.ts';

/**
 * Has each building reviewed that appears or changes, and the policies of removed ones forgotten. Call it before the
 * directory follows the bus.
 */
export function followBuildings(
	directory: BuildingDirectory,
	reviews: BuildingReviews,
	policies: Pick<Policies, 'forget'>,
	policyTable: Pick<RetainedTable, 'changed'>,
	logger: Logger,
): void {
	directory.onChange((buildingId) => {
		reviews.add(buildingId);
		const forget = async () => {
			if (await policies.forget(buildingId)) await policyTable.changed(buildingId);
		};
		forget().catch((error: unknown) => {
			// It holds for no other building of this id, and is forgotten at the next start.
			logger.warn({ err: error, buildingId }, 'the policy of a removed building could not be forgotten');
		});
	});
}
