import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Auth } from '@crowdvision/auth';
import { createNullModem, type Fleet, type NullModem, startFleet } from '@crowdvision/firmware-sim';
import type { Lifecycle, Logger } from '@crowdvision/service-kit';
import type { Twin } from '@crowdvision/twin';
import { DEMO_BUILDING, VISITOR_ROOM } from './building.ts';
import { examples } from './examples.ts';

const EMAIL = 'demo@crowdvision.local';
const DOMAIN = 'demo';
/** The device whose token the examples use. */
const VISITOR = 'demo-device';
const SAMPLE_EVERY_MS = 2000;
/** The building lives so many times faster than the clock, so that a visitor sees people come and go. */
const SPEED = 20;
/** Whenever the demo is started, it is half past nine in its building, and people are coming in. */
const MORNING_MINUTES = 9.5 * 60;
const DAY_MS = 24 * 3600_000;

/** The demo's serial lines; the gateway opens the `gateway` ends. */
export interface DemoLines {
	/** Paths for the gateway's configuration. */
	ports: string[];
	/** Where the simulated counters are wired. */
	sensors: string;
	/** Where a visitor may write. */
	visitor: string;
}

/** Two real pseudo-terminal pairs below `dir`; undefined, loudly, where this system has no way to make them. */
export async function openDemoLines(dir: string, lifecycle: Lifecycle, logger: Logger): Promise<DemoLines | undefined> {
	const serial = join(dir, 'serial');
	try {
		const lines: NullModem[] = [];
		for (const names of [['sensors', 'gateway-sensors'] as const, ['try', 'gateway-try'] as const]) {
			const line = await createNullModem({ dir: serial, names });
			lifecycle.onStop('serial line', () => line.close());
			lines.push(line);
		}
		return { ports: lines.map(({ b }) => b), sensors: lines[0]!.a, visitor: lines[1]!.a };
	} catch (error) {
		logger.warn({ err: (error as Error).message }, 'demo: no pseudo-terminals here, so the demo has no serial sensors');
		return undefined;
	}
}

/**
 * Makes the demo's account, domain, building and device tokens where they are not there yet, switches the simulated
 * sensors on, and returns what to tell the person at the terminal.
 */
export async function startDemo(parts: {
	auth: Auth;
	twin: Twin;
	dataDir: string;
	password: string | undefined;
	http: string;
	mqtt: string;
	lines: DemoLines | undefined;
	lifecycle: Lifecycle;
	logger: Logger;
}): Promise<string> {
	const { auth, twin, dataDir, http, mqtt, lines, lifecycle, logger } = parts;
	const password = parts.password ?? randomBytes(9).toString('base64url');
	const account = await auth.ensureAccount({
		email: EMAIL,
		name: 'Demo',
		password,
		overwritePassword: parts.password !== undefined,
	});
	await auth.ensureDomain(DOMAIN, account.id);
	await twin.ensureBuilding(DEMO_BUILDING);
	const scope = { domainName: DOMAIN, buildingId: DEMO_BUILDING.id };
	await keepVisitorToken(join(dataDir, 'demo'), () =>
		auth.issueDevice({ deviceId: VISITOR, name: 'for the examples', ...scope }),
	);

	const fleet = await startFleet({
		seed: 7,
		building: { id: DEMO_BUILDING.id, rooms: DEMO_BUILDING.rooms.filter(({ id }) => id !== VISITOR_ROOM) },
		links: {
			mqtt: { url: mqtt },
			http: { url: http },
			socketio: { url: http },
			...(lines ? { serial: { path: lines.sensors } } : {}),
		},
		credentials: (deviceId, sensorIds) =>
			auth.issueDevice({ deviceId, name: deviceId, domainName: DOMAIN, sensorIds: [...sensorIds] }),
		intervalMs: SAMPLE_EVERY_MS,
		speed: SPEED,
		utcOffsetMinutes: MORNING_MINUTES - Math.floor((Date.now() % DAY_MS) / 60_000),
		flashFile: join(dataDir, 'demo', 'flash.json'),
		logger,
	});
	lifecycle.onStop('simulated sensors', () => stopFleet(fleet));

	const signIn =
		account.created || parts.password !== undefined
			? `password ${password}`
			: 'with the password of the first start (DEMO_PASSWORD sets another)';
	return [
		`sign in at ${http} as ${EMAIL}, ${signIn}`,
		'',
		...examples({ http, mqtt, dataDir, deviceId: VISITOR, serial: lines?.visitor }),
	].join('\n');
}

async function stopFleet(fleet: Fleet): Promise<void> {
	fleet.pause();
	await fleet.stop();
}

/** The token of the examples, kept in a file of mode 0600 that they read. */
async function keepVisitorToken(dir: string, issue: () => Promise<{ token: string }>): Promise<void> {
	const path = join(dir, 'token');
	await mkdir(dir, { recursive: true, mode: 0o700 });
	if (existsSync(path)) return;
	const { token } = await issue();
	await writeFile(path, `${token}\n`, { mode: 0o600 });
}
