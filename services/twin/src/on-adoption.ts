import type { Bus, Subscription } from '@crowdvision/bus';
import { CrowdVisionError, type RetainedAdoption, TABLES } from '@crowdvision/contracts';
import type { Logger, RetainedTable } from '@crowdvision/service-kit';
import type { Sensors } from './sensors/sensors.ts';

export interface AdoptionParts {
	bus: Bus;
	sensors: Sensors;
	/** The table that announces registered sensors. */
	registered: RetainedTable;
	logger: Logger;
}

/**
 * Registers sensors that were adopted at a gateway. The gateway repeats an adoption until the sensor is registered, so
 * one that fails because the store is away comes again. An adoption that is not valid is refused on the same table,
 * with the reason, and the gateway undoes it.
 */
export function followAdoptions({ bus, sensors, registered, logger }: AdoptionParts): Promise<Subscription> {
	const adopt = async (key: string, adoption: RetainedAdoption) => {
		try {
			await registered.changed(...(await sensors.adopt(adoption)));
		} catch (error) {
			if (error instanceof CrowdVisionError && error.status < 500) {
				await bus.retain(TABLES.adoptions, key, JSON.stringify({ ...adoption, refused: error.message }));
			} else throw error;
		}
	};
	return bus.watch(TABLES.adoptions, (key, value) => {
		if (value === null) return;
		const adoption = JSON.parse(value) as RetainedAdoption;
		if (adoption.refused !== undefined) return;
		adopt(key, adoption).catch((error: unknown) =>
			logger.warn(
				{ err: error, sensorId: adoption.sensorId },
				'an adopted sensor could not be registered; its gateway will ask again',
			),
		);
	});
}
