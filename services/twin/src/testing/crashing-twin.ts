import { createLogger, Registry, Site, Tokens } from '@crowdvision/service-kit';
import { openStores } from '@crowdvision/store';
import { openEmbeddedBus, readingOf } from '@crowdvision/testing/service-world';
import { createTwin } from '../index.ts';

/**
 * A process to be killed at any moment: a twin on the embedded bus in the given folder, on MongoDB where a URL is
 * given, and a sensor that sends as fast as it is acknowledged. Prints `<run> <n>` for each acknowledged reading.
 */
const [dataDir = '', run = '', mongoUrl] = process.argv.slice(2);
const { bus } = await openEmbeddedBus(dataDir);
const parts = {
	logger: createLogger('twin', 'silent'),
	tokens: new Tokens('x'.repeat(32)),
	metrics: new Registry(),
	site: new Site(),
	now: Date.now,
	dataDir,
};
await createTwin({ ...parts, bus, stores: await openStores({ dataDir, mongoUrl, logger: parts.logger }) });
process.stdout.write('running\n');
for (let n = 0; ; n++) {
	const reading = readingOf({
		buildingId: 'museum-1',
		roomId: 'hall',
		metric: 'co2',
		value: 400 + (n % 100),
		id: `${run}-${n}`,
		observedAt: Date.now() - (n % 7),
	});
	await bus.append('telemetry', [JSON.stringify(reading)]);
	process.stdout.write(`${run} ${n}\n`);
}
