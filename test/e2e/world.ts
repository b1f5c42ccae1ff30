import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Alert, BuildingState, Transport } from '@crowdvision/contracts';
import { ROOT } from '@crowdvision/testing/root';
import { trust, trustIn } from '@crowdvision/testing/trust';

const run = promisify(execFile);

export const PASSWORD = 'a password for tests';
export const EMAIL = 'demo@crowdvision.local';

/** A composition of CrowdVision with the demo in it, as scenario.ts looks at it: through its front door only. */
export interface World {
	/** Base of the page and the API, `http:` or `https:`. */
	readonly http: string;
	readonly mqtt: string;
	/** Bases of what answers /healthz, /readyz and /metrics; none where they cannot be reached from here. */
	readonly probes: readonly string[];
	/** Those by which its simulated sensors send. */
	readonly transports: readonly Transport[];
	/** A line to paste for each way in, that sends a reading for the studio. */
	readonly examples: Readonly<Partial<Record<Transport, string>>>;
	/** Runs a line in a shell in the project's folder, as a person would paste it. */
	paste(line: string): Promise<string>;
	/** Requests a path of the API as the demo's account. */
	call<T>(method: string, path: string, body?: unknown): Promise<T>;
	state(): Promise<BuildingState>;
	alerts(): Promise<Alert[]>;
	/** Sends a people count for the studio through the HTTP line. */
	studioCount(count: number): Promise<void>;
	stop(): Promise<void>;
}

/** What a composition hands in. */
export interface Site {
	http: string;
	mqtt: string;
	probes: readonly string[];
	transports: readonly Transport[];
	/** The lines that demo/examples.ts makes. */
	examples: readonly string[];
	/** PEM of the authority behind `https:`. From here on this process believes it. */
	caFile?: string;
	stop(): Promise<void>;
}

export function openWorld({ http, mqtt, probes, transports, examples: lines, caFile, stop }: Site): World {
	if (caFile !== undefined) trust(caFile);
	const env = { ...process.env, ...(caFile !== undefined && trustIn(caFile)) };
	const paste = async (line: string) => {
		const { stdout, stderr } = await run('/bin/sh', ['-c', line], { cwd: ROOT, timeout: 20_000, env });
		return `${stdout}${stderr}`;
	};
	const examples = byTransport(lines);
	let token: string | undefined;
	const call = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
		token ??= (
			await request<{ token: string }>(http, 'POST', '/auth/login', { body: { email: EMAIL, password: PASSWORD } })
		).token;
		return request<T>(http, method, path, { token, body });
	};
	return {
		http,
		mqtt,
		probes,
		transports,
		examples,
		paste,
		call,
		state: () => call<BuildingState>('GET', '/twin/buildings/demo/state'),
		alerts: async () => (await call<{ alerts: Alert[] }>('GET', '/notification/alerts')).alerts,
		async studioCount(count) {
			const answer = await paste(examples.http!.replace('"value":4', `"value":${count}`));
			if (answer !== '{"accepted":1}') throw new Error(`POST /ingest: ${answer}`);
		},
		stop,
	};
}

/** @throws Error with status and body of every answer but a 2xx. */
export async function request<T>(
	base: string,
	method: string,
	path: string,
	{ token, body }: { token?: string; body?: unknown } = {},
): Promise<T> {
	const response = await fetch(`${base}${path}`, {
		method,
		headers: { 'Content-Type': 'application/json', ...(token !== undefined && { Authorization: `Bearer ${token}` }) },
		...(body !== undefined && { body: JSON.stringify(body) }),
		signal: AbortSignal.timeout(20_000),
	});
	if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
	return (await response.json()) as T;
}

/** The lines to paste are indented below their headings, and always in this order. */
function byTransport(lines: readonly string[]): Partial<Record<Transport, string>> {
	const order: Transport[] = ['http', 'mqtt', 'socket.io', 'serial'];
	const examples = lines.filter((line) => line.startsWith('  ')).map((line) => line.trim());
	return Object.fromEntries(examples.map((line, index) => [order[index], line]));
}
