import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Tokens } from '@crowdvision/service-kit';
import { type Running, startNode } from '@crowdvision/testing/processes';
import { waitFor } from '@crowdvision/testing/wait';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { mqttClient } from '../../src/testing/mqtt-clients.ts';

const JWT_SECRET = 'a secret for tests only, of more than 32 characters';
const tokens = new Tokens(JWT_SECRET);

let dir: string;
let running: Running | undefined;
beforeEach(async () => {
	dir = await mkdtemp(join(tmpdir(), 'crowdvision-decoders-'));
});
afterEach(async () => {
	await running?.kill();
	await rm(dir, { recursive: true, force: true });
});

/** Writes gateway.yaml with a mapping that reads the value by the JSONata expression `value`. */
const writeConfiguration = (value: string) =>
	writeFile(
		join(dir, 'gateway.yaml'),
		`decoders:
  - topic: "acme/+/uplink"
    use: jsonata
    mapping: '{"sensorId": $name, "metric": "co2", "value": ${value}}'
    defaults: {roomId: hall}
`,
	);

async function count(metric: string): Promise<number> {
	const lines = (await (await fetch(`${running!.ready[1]}/metrics`)).text()).split('\n');
	return lines
		.filter((line) => line.startsWith(`${metric}{`))
		.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}

it('applies a corrected mapping while the gateway runs, without dropping a connection', async () => {
	await writeConfiguration('n');
	const env = {
		PORT: '0',
		MQTT_PORT: '0',
		HOST: '127.0.0.1',
		DATA_DIR: join(dir, 'data'),
		JWT_SECRET,
		LOG_LEVEL: 'warn',
		REDIS_URL: undefined,
		GATEWAY_CONFIG: undefined,
	};
	running = await startNode('edge-gateway/src/main.ts', { env, cwd: dir, ready: /^ready (http:\S+) (mqtt:\S+)$/m });
	const client = await mqttClient(
		running.ready[2]!,
		'acme',
		await tokens.signDevice({ id: 'acme', domainName: 'local', buildingId: 'b1' }),
	);
	const closed: string[] = [];
	client.on('close', () => closed.push('closed'));
	const send = () => client.publishAsync('acme/x/uplink', '{"n":"415 ppm"}', { qos: 1 });
	await send();
	expect(await count('gateway_readings_rejected_total')).toBe(1);

	await writeConfiguration('$number($substringBefore(n, " "))');
	await waitFor(
		'a reading',
		async () => {
			await send();
			return (await count('gateway_readings_accepted_total')) > 0;
		},
		30_000,
	);
	expect(closed).toEqual([]);
	await client.endAsync();
});
