import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Auth } from '@crowdvision/auth';
import { createNullModem, type Fleet, type NullModem, startFleet } from '@crowdvision/firmware-sim';
import type { Lifecycle, Logger } from '@crowdvision/service-kit';
import type { Twin } from '@crowdvision/twin';
import { DEMO_BUILDING, DEMO_DOMAIN, VISITOR_ROOM } from './building.ts';
import { examples } from './examples.ts';

const EMAIL = 'demo@crowdvision.local';
/** The id of the device whose token the examples use. */
const VISITOR = 'demo-device';
const SAMPLE_EVERY_MS = 2000;
/** How much faster than the clock the simulated day passes, so that a visitor sees people come and go. */
const SPEED = 20;
/** Local time in the building when the demo starts, in minutes: people are arriving. */
const MORNING_MINUTES = 9.5 * 60;
const DAY_MS = 24 * 3600_000;

/** The demo's serial lines. */
export interface DemoLines {
	/** The ends that the gateway opens, as its configuration has them. */
	ports: { path: string; defaults: { buildingId: string } }[];
	/** The end of the simulated sensors. */
	sensors: string;
	/** The end that a visitor may write to. */
	visitor: string;
}

/**
 * Creates two pairs of pseudo-terminals below `dir`. Logs a warning and returns undefined where that is not possible.
 */
export async function openDemoLines(dir: string, lifecycle: Lifecycle, logger: Logger): Promise<DemoLines | undefined> {
	const serial = join(dir, 'serial');
	try {
		const lines: NullModem[] = [];
		for (const names of [['sensors', 'gateway-sensors'] as const, ['try', 'gateway-try'] as const]) {
			const line = await createNullModem({ dir: serial, names });
			lifecycle.onStop('serial line', () => line.close());
			lines.push(line);
		}
		const defaults = { buildingId: DEMO_BUILDING.id };
		return { ports: lines.map(({ b }) => ({ path: b, defaults })), sensors: lines[0]!.a, visitor: lines[1]!.a };
	} catch (error) {
		logger.warn(
			{ err: (error as Error).message },
			'demo: this system cannot create pseudo-terminals, so the demo has no serial sensors',
		);
		return undefined;
	}
}

/** What the demo needs; `http` and `mqtt`: the URLs of this process. */
interface DemoParts {
	auth: Auth;
	twin: Twin;
	dataDir: string;
	password: string | undefined;
	http: string;
	mqtt: string;
	lines: DemoLines | undefined;
	lifecycle: Lifecycle;
	logger: Logger;
}

/**
 * Creates the demo's account, domain, building and device tokens unless they exist, starts the simulated sensors, and
 * returns the text to print: how to sign in, and the examples.
 */
export async function startDemo(parts: DemoParts): Promise<string> {
	const { auth, twin, dataDir, http, mqtt, lines } = parts;
	const password = parts.password ?? randomBytes(9).toString('base64url');
	const account = await auth.ensureAccount({
		email: EMAIL,
		name: 'Demo',
		password,
		overwritePassword: parts.password !== undefined,
	});
	await auth.ensureDomain(DEMO_DOMAIN, account.id);
	await twin.ensureBuilding(DEMO_BUILDING);
	const scope = { domainName: DEMO_DOMAIN, buildingId: DEMO_BUILDING.id };
	await writeVisitorToken(join(dataDir, 'demo'), () =>
		auth.issueDevice({ deviceId: VISITOR, name: 'for the examples', ...scope }),
	);

	await startSensors(parts);

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

/** Starts the simulated sensors. URLs cannot name the zone of an address, so there are none where HOST has one. */
async function startSensors({ auth, dataDir, http, mqtt, lines, lifecycle, logger }: DemoParts): Promise<void> {
	if (http.includes('%25')) {
		logger.warn('demo: HOST has a zone id, so there are no simulated sensors');
		return;
	}
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
			auth.issueDevice({ deviceId, name: deviceId, domainName: DEMO_DOMAIN, sensorIds: [...sensorIds] }),
		intervalMs: SAMPLE_EVERY_MS,
		speed: SPEED,
		utcOffsetMinutes: MORNING_MINUTES - Math.floor((Date.now() % DAY_MS) / 60_000),
		flashFile: join(dataDir, 'demo', 'flash.json'),
		logger,
	});
	lifecycle.onStop('simulated sensors', () => stopFleet(fleet));
}

async function stopFleet(fleet: Fleet): Promise<void> {
	fleet.pause();
	await fleet.stop();
}

/** Writes the token of the examples to a file of mode 0600, which they read, unless the file exists. */
async function writeVisitorToken(dir: string, issue: () => Promise<{ token: string }>): Promise<void> {
	const path = join(dir, 'token');
	await mkdir(dir, { recursive: true, mode: 0o700 });
	if (existsSync(path)) return;
	const { token } = await issue();
	await writeFile(path, `${token}\n`, { mode: 0o600 });
}
