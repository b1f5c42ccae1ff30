import type { BuildingDirectory } from '@crowdvision/service-kit';
import type { BuildingReviews } from './evaluation/building-reviews.ts';

/** Has each building reviewed that appears or changes. Call it before the directory follows the bus. */
export function followBuildings(directory: BuildingDirectory, reviews: BuildingReviews): void {
	directory.onChange((buildingId) => reviews.add(buildingId));
}
