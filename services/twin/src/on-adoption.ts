import type { Bus, Subscription } from '@crowdvision/bus';
import { CrowdVisionError, type RetainedAdoption, TABLES } from '@crowdvision/contracts';
import type { Logger, RetainedTable } from '@crowdvision/service-kit';
import type { Sensors } from './sensors/sensors.ts';

export interface AdoptionParts {
	bus: Bus;
	sensors: Sensors;
	/** What the others know of sensors. */
	told: RetainedTable;
	logger: Logger;
}

/**
 * Takes sensors that were adopted at a gateway into the registry. The gateway tells an adoption until it finds it
 * there, so one that could not be kept now comes again; one that cannot be kept at all is answered on the same table,
 * and the gateway undoes it.
 */
export function followAdoptions({ bus, sensors, told, logger }: AdoptionParts): Promise<Subscription> {
	const take = async (adoption: RetainedAdoption) => {
		try {
			await told.changed(...(await sensors.adopt(adoption)));
		} catch (error) {
			if (error instanceof CrowdVisionError && error.status < 500) {
				await bus.retain(TABLES.adoptions, adoption.sensorId, JSON.stringify({ ...adoption, refused: error.message }));
			} else throw error;
		}
	};
	return bus.watch(TABLES.adoptions, (sensorId, value) => {
		if (value === null) return;
		const adoption = JSON.parse(value) as RetainedAdoption;
		if (adoption.refused !== undefined) return;
		take(adoption).catch((error: unknown) =>
			logger.warn({ err: error, sensorId }, 'an adopted sensor could not be registered yet'),
		);
	});
}
