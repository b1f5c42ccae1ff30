/** Measures what a gateway writes to its disk, which wears out an SD card. */
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Tokens } from '@crowdvision/service-kit';
import { freePort } from '@crowdvision/testing/ports';
import { startNode } from '@crowdvision/testing/processes';

/** What a gateway writes to its disk at a given rate and commit interval. */
export interface DiskUse {
	commitEvery: string;
	readingsPerSecond: number;
	/** Readings sent while measuring. */
	readings: number;
	/** Bytes that the process wrote to the disk (`write_bytes` of /proc/{pid}/io), without the file system's journal. */
	bytes: number;
	seconds: number;
}

const SECRET = 'a secret for measuring only, of more than 32 characters';
const WARM_UP_SECONDS = 5;
const SENSORS = 10;

export const SD_CARD_CASES = [
	{ commitEvery: '0ms', readingsPerSecond: 0 },
	{ commitEvery: '0ms', readingsPerSecond: 1 },
	{ commitEvery: '250ms', readingsPerSecond: 1 },
	{ commitEvery: '0ms', readingsPerSecond: 10 },
	{ commitEvery: '250ms', readingsPerSecond: 10 },
	{ commitEvery: '2s', readingsPerSecond: 10 },
] as const;

/** Runs a gateway without a relay at the given rate, and measures what it writes. */
export async function diskUse(commitEvery: string, readingsPerSecond: number, seconds: number): Promise<DiskUse> {
	const dir = await mkdtemp(join(tmpdir(), 'crowdvision-disk-'));
	const [port, mqttPort] = [await freePort(), await freePort()];
	const config = join(dir, 'gateway.yaml');
	await writeFile(config, JSON.stringify({ log: { commitEvery } }));
	const gateway = await startNode('edge-gateway/src/main.ts', {
		env: {
			PORT: String(port),
			MQTT_PORT: String(mqttPort),
			DATA_DIR: join(dir, 'data'),
			GATEWAY_CONFIG: config,
			JWT_SECRET: SECRET,
			LOG_LEVEL: 'warn',
			REDIS_URL: undefined,
		},
		ready: /^ready /m,
		timeoutMs: 60_000,
	});
	try {
		const token = await new Tokens(SECRET).signDevice({ id: 'bench', domainName: 'bench', buildingId: 'b' });
		let readings = 0;
		const send = async () => {
			const seq = readings++;
			const body = {
				sensorId: `s${seq % SENSORS}`,
				buildingId: 'b',
				roomId: 'hall',
				metric: 'co2',
				value: 400 + (seq % 100),
				seq,
				boot: 'x',
			};
			const response = await fetch(`http://127.0.0.1:${port}/ingest`, {
				method: 'POST',
				headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
				body: JSON.stringify(body),
			});
			if (response.status !== 202)
				throw new Error(`the gateway answered a reading with ${response.status}: ${await response.text()}`);
		};
		const during = async (forSeconds: number) => {
			const sent: Promise<void>[] = [];
			const timer =
				readingsPerSecond > 0 ? setInterval(() => void sent.push(send()), 1000 / readingsPerSecond) : undefined;
			await new Promise((resolve) => setTimeout(resolve, forSeconds * 1000));
			clearInterval(timer);
			await Promise.all(sent);
		};
		await during(WARM_UP_SECONDS);
		const [before, sentBefore] = [writtenBy(gateway.pid), readings];
		await during(seconds);
		return {
			commitEvery,
			readingsPerSecond,
			readings: readings - sentBefore,
			bytes: writtenBy(gateway.pid) - before,
			seconds,
		};
	} finally {
		await gateway.kill();
		await rm(dir, { recursive: true, force: true });
	}
}

function writtenBy(pid: number): number {
	return Number(/^write_bytes: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))?.[1]);
}

const bytesPerDay = ({ bytes, seconds }: DiskUse) => (bytes / seconds) * 86_400;

/** A Markdown table of the measurements. */
export function diskTable(uses: readonly DiskUse[]): string {
	const rows = uses.map((use) => {
		const perReading = use.readings > 0 ? `${Math.round(use.bytes / use.readings)} B` : '';
		const perDay = `${(bytesPerDay(use) / 1e6).toFixed(0)} MB`;
		return `| ${use.readingsPerSecond} | ${use.commitEvery} | ${perDay} | ${perReading} |`;
	});
	return ['| readings a second | `commitEvery` | written a day | a reading |', '|---|---|---|---|', ...rows].join('\n');
}
