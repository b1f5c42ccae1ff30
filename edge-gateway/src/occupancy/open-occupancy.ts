/** Opens and closes the parts that count people. */
import { join } from 'node:path';
import { idInKey } from '@crowdvision/contracts';
import type { CommitWorker, Log } from '@crowdvision/log';
import { Lifecycle, type Logger } from '@crowdvision/service-kit';
import type { Clock } from '../clock/clock.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { Adjustments } from './adjustments.ts';
import { AuditTrail } from './audit-trail.ts';
import { Doors } from './doors.ts';
import { Occupancy } from './occupancy.ts';
import type { OccupancyConfig } from './occupancy-config.ts';
import { OccupancyFile } from './occupancy-file.ts';
import { Zeroing } from './zeroing.ts';

/** The open parts that count people. */
export interface OpenOccupancy {
	occupancy: Occupancy;
	trail: AuditTrail;
	adjustments: Adjustments;
	zeroing: Zeroing;
	/** Applies another configuration; the state of rooms and doors stays. */
	update(config: OccupancyConfig): void;
	/** Call it after the last append to the log. */
	close(): Promise<void>;
}

/** Restores the rooms as they were when the gateway stopped or was killed, and opens the parts that count people. */
export function openOccupancy(parts: {
	config: OccupancyConfig;
	gatewayId: string;
	dir: string;
	log: Log;
	worker: CommitWorker;
	zoneOf: (buildingId: string) => string | undefined;
	clock: Pick<Clock, 'now' | 'quality' | 'era'>;
	ledger: Ledger;
	/** How long the count of a room counts as current, in ms. */
	freshFor: (room: { buildingId: string; roomId: string }) => number;
	/** Whether a room, named by its `generationKey`, was removed. */
	isOver?: (buildingId: string, roomId: string) => boolean;
	logger: Logger;
}): Promise<OpenOccupancy> {
	const { config, gatewayId, dir, log, worker, clock, ledger, zoneOf, freshFor, isOver, logger } = parts;
	const lifecycle = new Lifecycle(logger);
	return lifecycle.stopOnFailure(async () => {
		const trail = await AuditTrail.open({
			dir: join(dir, 'room-audit'),
			worker,
			logId: log.id,
			onNotable: (buildingId, roomId, change) =>
				logger.info(
					{ buildingId, roomId: idInKey(roomId), change },
					'the count of a room changed other than by crossings',
				),
			onIncident: (incident) => logger.error({ incident }, 'audit of rooms: damage found on disk'),
		});
		lifecycle.onStop('audit of rooms', () => trail.close());
		const occupancy = new Occupancy(new Doors(config), trail, isOver);
		const file = await OccupancyFile.restore(join(dir, 'occupancy'), occupancy, log);
		lifecycle.onStop('rooms', () => file.close());
		const adjustments = new Adjustments({ log, clock, occupancy, ledger, gatewayId, freshFor });
		const zeroing = new Zeroing({ config, occupancy, adjustments, zoneOf, clock, logger });
		lifecycle.onStop('zeroing', () => zeroing.stop());
		return {
			occupancy,
			trail,
			adjustments,
			zeroing,
			update(next) {
				occupancy.doors.update(next);
				zeroing.update(next);
			},
			close: () => lifecycle.stop(),
		};
	});
}
