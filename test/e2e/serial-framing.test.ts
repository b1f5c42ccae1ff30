import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Reading } from '@crowdvision/contracts';
import { createNullModem, type DeviceReading, type FleetLinks, startFleet } from '@crowdvision/firmware-sim';
import { Log, startCommitWorker } from '@crowdvision/log';
import { freePort } from '@crowdvision/testing/ports';
import { startNode } from '@crowdvision/testing/processes';
import { waitFor } from '@crowdvision/testing/wait';
import { describe, expect, it, onTestFinished } from 'vitest';

const BUILDING = { id: 'works', rooms: [{ id: 'hall', capacity: 60 }] };

describe('P6 a device that speaks over a bad line', () => {
	it.each<[string, Omit<NonNullable<FleetLinks['serial']>, 'path'>, object]>([
		['jsonl with checksum', { framing: 'jsonl', checksum: true }, { framing: 'jsonl', checksum: true }],
		['csv with checksum', { framing: 'csv', checksum: true }, { framing: 'csv', checksum: true }],
		[
			'cobs, and says who it is',
			{ framing: 'cobs', name: 'alpha' },
			{ framing: 'cobs', identify: { device: 'alpha' } },
		],
	])('gets every reading stored once, as measured: %s', async (_name, link, port) => {
		const dir = await mkdtemp(join(tmpdir(), 'crowdvision-framing-'));
		onTestFinished(() => rm(dir, { recursive: true, force: true }));
		const modem = await createNullModem({ dir: join(dir, 'line') });
		onTestFinished(() => modem.close());
		const config = join(dir, 'gateway.yaml');
		await writeFile(config, JSON.stringify({ sources: { serial: [{ path: modem.b, ...port }] } }));
		const [http, mqtt] = [await freePort(), await freePort()];
		const gateway = await startNode('edge-gateway/src/main.ts', {
			env: {
				PORT: String(http),
				MQTT_PORT: String(mqtt),
				DATA_DIR: join(dir, 'data'),
				GATEWAY_CONFIG: config,
				LOG_LEVEL: 'warn',
			},
			ready: /^ready /m,
			timeoutMs: 40_000,
		});
		onTestFinished(async () => void (await gateway.kill()));

		const measured = new Map<string, DeviceReading>();
		const fleet = await startFleet({
			seed: 5,
			building: BUILDING,
			links: { serial: { path: modem.a, ...link } },
			credentials: () => ({ deviceId: '', token: '' }),
			intervalMs: 10,
			count: 600,
			speed: 300,
			faults: ['corrupt-byte:0.05', 'torn-frame:0.05', 'drop:0.02', 'duplicate:0.02'],
			ackTimeoutMs: 300,
			retry: { firstMs: 20, longestMs: 200 },
			onAcknowledged: (reading) => measured.set(`${reading.boot} ${reading.seq}`, reading),
		});
		onTestFinished(() => fleet.stop());
		await waitFor('all of them to be measured', () => fleet.stats().produced === 600, 60_000);
		expect(await fleet.drained(60_000)).toBe(true);
		const { acknowledged, refused, faults } = fleet.stats();
		expect({ acknowledged, refused }).toEqual({ acknowledged: 600, refused: 0 });
		for (const fault of ['corrupt-byte', 'torn-frame']) expect(faults[fault]).toBeGreaterThan(10);
		await fleet.stop();
		expect((await gateway.stop()).code).toBe(0);

		const stored = await readingsIn(join(dir, 'data/gateway/log'));
		expect(stored).toHaveLength(600);
		for (const reading of stored) {
			const { sensorId, metric, value, roomId } = measured.get(`${reading.boot} ${reading.seq}`)!;
			expect(reading).toMatchObject({ sensorId, roomId, buildingId: 'works', transport: 'serial' });
			// Crossings leave as the room's count.
			if (reading.crossings) expect(reading.crossings[metric === 'peopleIn' ? 'in' : 'out']).toBe(value);
			else expect(reading).toMatchObject({ metric, value });
		}
	});
});

async function readingsIn(dir: string): Promise<Reading[]> {
	const worker = startCommitWorker();
	const log = await Log.open({ dir, worker });
	const readings: Reading[] = [];
	for (let next = log.startOffset; ; ) {
		const read = await log.read(next);
		if (read.next === next) break;
		next = read.next;
		for (const { payload } of read.records) readings.push(JSON.parse(payload.toString()) as Reading);
	}
	await log.close();
	await worker.close();
	return readings;
}
