import { TABLES } from '@crowdvision/contracts';
import { createLogger, Registry, Site, Tokens } from '@crowdvision/service-kit';
import { openStores } from '@crowdvision/store';
import { openEmbeddedBus, readingOf } from '@crowdvision/testing/service-world';
import { createNotification } from '../index.ts';
import { HALL } from './hall.ts';

/**
 * A process to be killed at any moment: the notification service on the embedded bus in the given folder, and a room
 * whose count swings around its limit as fast as readings are acknowledged. Prints `<run> <n>` for each reading.
 */
const [dataDir = '', run = ''] = process.argv.slice(2);
const { bus } = await openEmbeddedBus(dataDir);
await bus.retain(TABLES.buildings, HALL.id, JSON.stringify(HALL));
const logger = createLogger('notification', 'silent');
const parts = {
	logger,
	tokens: new Tokens('x'.repeat(32)),
	metrics: new Registry(),
	site: new Site(),
	now: Date.now,
	dataDir,
};
await createNotification({ ...parts, bus, stores: await openStores({ dataDir, logger }) });
process.stdout.write('running\n');
let observedAt = 0;
for (let n = 0; ; n++) {
	observedAt = Math.max(observedAt + 1, Date.now());
	const value = 90 + Math.floor(Math.random() * 16);
	const reading = readingOf({
		buildingId: 'museum-1',
		roomId: 'hall',
		metric: 'peopleCount',
		value,
		id: `${run}-${n}`,
		observedAt,
	});
	await bus.append('telemetry', [JSON.stringify(reading)]);
	process.stdout.write(`${run} ${n}\n`);
}
