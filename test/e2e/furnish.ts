import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Transport } from '@crowdvision/contracts';
import { startFleet } from '@crowdvision/firmware-sim';
import { DEMO_BUILDING, VISITOR_ROOM } from '../../demo/building.ts';
import { examples } from '../../demo/examples.ts';
import { EMAIL, PASSWORD, request } from './world.ts';

export interface Furnished {
	/** Lines to paste. */
	examples: string[];
	transports: Transport[];
	/** Switches the simulated sensors off. */
	stop(): Promise<void>;
}

/**
 * Makes the demo in a composition that starts empty, as its first user would: account, domain, building and device
 * through the API, then sensors that send. `serial`: the sensors' and the visitor's ends of two lines into the gateway,
 * where it has some. `dir` gets the token.
 */
export async function furnish(site: {
	http: string;
	mqtt: string;
	dir: string;
	serial?: { sensors: string; visitor: string };
}): Promise<Furnished> {
	const { http, mqtt, dir, serial } = site;
	const ask = <T>(method: string, path: string, token: string | undefined, body?: unknown) =>
		request<T>(http, method, path, { ...(token !== undefined && { token }), body });
	const first = await ask<{ token: string }>('POST', '/auth/register', undefined, {
		email: EMAIL,
		password: PASSWORD,
		name: 'Demo',
	});
	await ask('POST', '/auth/domains', first.token, { name: 'demo' });
	const { token } = await ask<{ token: string }>('POST', '/auth/refresh', first.token);
	await ask('POST', '/twin/buildings', token, DEMO_BUILDING);
	const scope = { name: 'for the examples', buildingId: DEMO_BUILDING.id };
	const device = await ask<{ deviceId: string; token: string }>('POST', '/auth/domains/demo/devices', token, scope);
	await mkdir(join(dir, 'demo'), { recursive: true, mode: 0o700 });
	await writeFile(join(dir, 'demo', 'token'), `${device.token}\n`, { mode: 0o600 });
	const fleet = await startFleet({
		seed: 7,
		building: { id: DEMO_BUILDING.id, rooms: DEMO_BUILDING.rooms.filter(({ id }) => id !== VISITOR_ROOM) },
		links: {
			http: { url: http },
			socketio: { url: http },
			mqtt: { url: mqtt },
			...(serial && { serial: { path: serial.sensors } }),
		},
		credentials: () => device,
		intervalMs: 2000,
		speed: 20,
	});
	return {
		examples: examples({ http, mqtt, dataDir: dir, deviceId: device.deviceId, serial: serial?.visitor }),
		transports: ['http', 'socket.io', 'mqtt', ...(serial ? (['serial'] as const) : [])],
		stop: () => fleet.stop(),
	};
}
