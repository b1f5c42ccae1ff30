import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startNode } from '@crowdvision/testing/processes';
import { describe, expect, it, onTestFinished } from 'vitest';
import { adoptSensor, listDevices } from '../../src/control/device-commands.ts';
import { mqttClient } from '../../src/testing/mqtt-clients.ts';
import { watchedGateway } from '../../src/testing/watched-gateway.ts';

const TIMEOUT = 120_000;

/** Runs a command of the gateway to its end. */
async function gateway(
	dataDir: string,
	...args: string[]
): Promise<{ code: number | null; stdout: string; stderr: string }> {
	const run = await startNode('edge-gateway/src/main.ts', {
		args,
		env: { DATA_DIR: dataDir, GATEWAY_CONFIG: undefined, REDIS_URL: undefined },
	});
	const { code } = await run.exited;
	return { code, stdout: run.stdout(), stderr: run.stderr() };
}

describe('npm run gateway -- devices and -- adopt', () => {
	it(
		'list connected devices and quarantined sensors, and adopt a sensor, without a token',
		async () => {
			const { dataDir, mqttUrl, post, tokens, stop } = await watchedGateway({});
			const token = await tokens.signDevice({ id: 'dev', domainName: 'acme', sensorIds: ['cam-7'] });
			const unplaced = { sensorId: 'cam-7', metric: 'co2', value: 400 };
			expect(await listDevices(dataDir, [])).toBe('No device is connected.\n\nNo sensor is in quarantine.\n');

			const narrow = await tokens.signDevice({ id: 'counter', domainName: 'acme', buildingId: 'b2' });
			await mqttClient(mqttUrl, 'counter', narrow);
			expect((await post(token, unplaced)).status).toBe(422);
			expect((await post(narrow, { ...unplaced, sensorId: 'elsewhere' })).status).toBe(422);
			const { stdout } = await gateway(dataDir, 'devices');
			expect(stdout).toMatch(/^Connected:\n(.*\n)* {2}counter of acme over mqtt: last heard \d{4}-\S+, 0 readings\n/);
			expect(stdout).toMatch(/\nIn quarantine, .*\n(.*\n)* {2}cam-7 \(co2\): 1 message from \d{4}-\S+ to \d{4}-\S+\n/);
			expect(stdout).toContain('    sent over http from dev by POST /ingest of acme\n    last: {"sensorId":"cam-7"');

			const never = { code: 1, stdout: '', stderr: 'No sensor with this id is waiting to be adopted\n' };
			expect(await gateway(dataDir, 'adopt', 'cam-8', 'b1', 'hall')).toEqual(never);
			await expect(adoptSensor(dataDir, ['elsewhere', 'b1', 'hall'])).rejects.toThrow(
				/^The token of counter does not cover this building/,
			);
			await expect(adoptSensor(dataDir, ['cam-7', 'b/1', 'hall'])).rejects.toThrow(/^\/buildingId must /);
			await expect(adoptSensor(dataDir, ['cam-7', 'b1'])).rejects.toThrow(
				/^usage: npm run gateway -- adopt <sensor> <building> <room>$/,
			);
			expect((await post(token, unplaced)).status).toBe(422);

			expect(await gateway(dataDir, 'adopt', 'cam-7', 'b1', 'hall')).toMatchObject({
				code: 0,
				stdout: expect.stringMatching(/^cam-7 is in b1\/hall from now on\.\n/),
			});
			expect((await post(token, unplaced)).status).toBe(202);
			expect(await listDevices(dataDir, [])).not.toContain('cam-7');
			await stop();
			await expect(listDevices(dataDir, [])).rejects.toThrow(`no gateway runs on ${dataDir}`);
		},
		TIMEOUT,
	);

	it('report that no gateway runs, and create no files', async () => {
		const dir = await mkdtemp(join(tmpdir(), 'crowdvision-devices-'));
		onTestFinished(() => rm(dir, { recursive: true }));
		const dataDir = join(dir, 'none');
		const none = { code: 1, stdout: '', stderr: `no gateway runs on ${dataDir}; start it first: npm run gateway\n` };
		expect(await gateway(dataDir, 'devices')).toEqual(none);
		expect(await gateway(dataDir, 'adopt', 'cam-7', 'b1', 'hall')).toEqual(none);
	});

	it(
		'P14 list every sensor in quarantine, also beyond the first page of a thousand entries',
		async () => {
			const { dataDir, post, tokens } = await watchedGateway({});
			const token = await tokens.signDevice({ id: 'dev', domainName: 'acme', buildingId: 'b1' });
			const readings = (from: number, to: number, more: object) =>
				Array.from({ length: to - from }, (_, n) => ({
					sensorId: `s-${from + n}`,
					metric: 'co2',
					value: 400,
					...more,
				}));
			expect((await post(token, readings(0, 30, { buildingId: 'b1', roomId: 'hall' }))).status).toBe(202);
			for (let from = 100; from < 1090; from += 330) await post(token, readings(from, from + 330, {}));
			const text = await listDevices(dataDir, []);
			expect(new Set(text.match(/^ {2}s-\d+/gm)).size).toBe(990);
		},
		TIMEOUT,
	);
});
