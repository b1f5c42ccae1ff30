import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '@crowdvision/testing/ports';
import { type Running, startNode } from '@crowdvision/testing/processes';

/** The socket service as its own process, on the same port after every restart. */
export interface SocketProcess {
	readonly url: string;
	/** Of the process that was started last. */
	pid(): number;
	/** Kills it with SIGKILL; resolves when it has ended. */
	kill(): Promise<void>;
	/** Starts it again; resolves when it is ready. */
	start(): Promise<void>;
	/** The sum of one of its metrics over all labels. */
	metric(name: string): Promise<number>;
	/** What it has printed since its last start. */
	output(): string;
	/** Kills it and removes its folder. */
	close(): Promise<void>;
}

/** @throws Error with its output when it does not get ready */
export async function startSocketProcess(options: {
	redisUrl: string;
	secret: string;
	env?: Record<string, string>;
}): Promise<SocketProcess> {
	const dir = await mkdtemp(join(tmpdir(), 'crowdvision-socket-'));
	const port = await freePort();
	const url = `http://127.0.0.1:${port}`;
	let running: Running | undefined;
	const start = async () => {
		running = await startNode('services/socket/src/main.ts', {
			env: {
				PORT: String(port),
				DATA_DIR: dir,
				REDIS_URL: options.redisUrl,
				JWT_SECRET: options.secret,
				LOG_LEVEL: 'info',
				...options.env,
			},
			ready: /^ready /m,
		});
	};
	const close = async () => {
		await running?.kill();
		await rm(dir, { recursive: true, force: true });
	};
	try {
		await start();
	} catch (error) {
		await close();
		throw error;
	}
	return {
		url,
		pid: () => running!.pid,
		start,
		kill: async () => void (await running?.kill()),
		async metric(name) {
			const text = await (await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(10_000) })).text();
			const lines = text.split('\n').filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`));
			return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
		},
		output: () => `${running?.stdout()}${running?.stderr()}`,
		close,
	};
}
