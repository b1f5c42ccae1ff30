import { whyNoMongod } from '@crowdvision/testing/mongod';
import { trust } from '@crowdvision/testing/trust';
import { describe } from 'vitest';
import { furnish } from '../e2e/furnish.ts';
import { describeEndToEnd } from '../e2e/scenario.ts';
import { openWorld } from '../e2e/world.ts';
import { startTopology } from '../support/topology.ts';

const why = whyNoMongod();

describe.skipIf(why)(`the topology as processes${why ? `: ${why}` : ''}`, () => {
	describeEndToEnd('every service in its own process, behind Caddy', async () => {
		const topology = await startTopology();
		trust(topology.caFile);
		const furnished = await furnish(topology);
		return openWorld({
			...furnished,
			http: topology.http,
			mqtt: topology.mqtt,
			caFile: topology.caFile,
			probes: topology.programs.map(({ port }) => `http://127.0.0.1:${port}`),
			stop: async () => {
				await furnished.stop();
				await topology.stop();
			},
		});
	});
});
