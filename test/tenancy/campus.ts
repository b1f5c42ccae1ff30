import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { type Membership, type Role, weightIn } from '@crowdvision/contracts';
import { waitFor } from '@crowdvision/testing/wait';
import { openEmbedded, type Reply, type Site } from './site.ts';

const run = promisify(execFile);

export const DOMAINS = ['north', 'north/lab', 'south', 'east'] as const;

/** A building whose every name, id and word appears nowhere else: where one shows up, it was told of. */
export interface Marked {
	id: string;
	domains: string[];
	roomId: string;
	sensorId: string;
	/** What only somebody who sees the building can know. */
	secrets: string[];
}

const marked = (mark: string, ...domains: string[]): Marked => ({
	id: `b-${mark}`,
	domains,
	roomId: `room-${mark}`,
	sensorId: `sensor-${mark}`,
	secrets: [`b-${mark}`, `room-${mark}`, `sensor-${mark}`, `The ${mark}`, `Hall of ${mark}`],
});

export const BUILDINGS = [
	marked('alder', 'north'),
	marked('birch', 'north/lab'),
	marked('cedar', 'south'),
	marked('dogwood', 'south', 'east'),
	marked('elder', 'east'),
];
/** Asked for beside the others: an answer for a foreign building must be the one for this. */
export const NOWHERE = 'b-nowhere';

/** The embedded whole with five buildings of four domains, each measured, overcrowded and with a refused reading. */
export interface Campus extends Pick<Site, 'http' | 'token' | 'ask' | 'stop'> {
	/** A token that may do anything to this building. */
	ownerOf(building: Marked): Promise<string>;
	/** Everything that is kept of a building, as its owner sees it. */
	snapshot(building: Marked): Promise<string>;
	/** Sends one count for a building. */
	count(building: Marked, value: number): Promise<void>;
	/** A device of this building comes and goes. */
	comeAndGo(building: Marked): Promise<void>;
	alertIds: Map<string, string>;
}

export async function openCampus(): Promise<Campus> {
	const site = await openEmbedded();
	const { http, token, ask, tokens } = site;
	const mqtt = new URL(site.mqtt);
	const ownerOf = ({ domains }: Marked) => token(domains.map((domainName) => ({ domainName, role: 'business_admin' })));
	const deviceOf = ({ id, sensorId, domains }: Marked) =>
		tokens.signDevice({ id: sensorId, domainName: domains[0]!, buildingId: id });
	const ingest = async (building: Marked, reading: object) => ask(await deviceOf(building), 'POST', '/ingest', reading);
	const count = async (building: Marked, value: number) => {
		const { sensorId, id: buildingId, roomId } = building;
		const { status, text } = await ingest(building, { sensorId, buildingId, roomId, metric: 'peopleCount', value });
		if (status !== 202) throw new Error(`the reading was answered ${status} ${text}`);
	};
	const alertIds = new Map<string, string>();
	for (const building of BUILDINGS) {
		const owner = await ownerOf(building);
		const mark = building.id.slice(2);
		const room = {
			id: building.roomId,
			name: `Hall of ${mark}`,
			capacity: 10,
			position: { x: 0, y: 0, z: 0 },
			dimensions: { width: 1, height: 1, depth: 1 },
		};
		const { id, domains, sensorId, roomId } = building;
		await must(ask(owner, 'POST', '/twin/buildings', { id, name: `The ${mark}`, domains, rooms: [room] }), 201);
		await must(ask(owner, 'POST', `/twin/buildings/${id}/sensors`, { sensorId, roomId }), 201);
		await waitFor(
			'the gateway to know the building',
			async () => (await ingest(building, { metric: 'temperature', value: 20, sensorId })).status === 202,
		);
		await ingest(building, { sensorId, buildingId: id, roomId, metric: 'peopleCount', value: -1 });
		await count(building, 11);
		const alert = await waitFor('the alert', async () => {
			const { text } = await ask(owner, 'GET', '/notification/alerts');
			return (JSON.parse(text) as { alerts: { id: string; buildingId: string }[] }).alerts.find(
				(one) => one.buildingId === id,
			);
		});
		alertIds.set(id, alert.id);
	}
	return {
		http,
		token,
		ask,
		ownerOf,
		count,
		alertIds,
		snapshot: async (building) => {
			const owner = await ownerOf(building);
			const parts = ['', '/thresholds', '/columns', '/sensors'].map((part) =>
				ask(owner, 'GET', `/twin/buildings/${building.id}${part}`),
			);
			const alerts = JSON.parse((await ask(owner, 'GET', '/notification/alerts')).text) as {
				alerts: { buildingId: string }[];
			};
			return JSON.stringify([
				await Promise.all(parts),
				alerts.alerts.filter(({ buildingId }) => buildingId === building.id),
			]);
		},
		comeAndGo: async (building) => {
			const login = ['-h', mqtt.hostname, '-p', mqtt.port, '-u', building.sensorId, '-P', await deviceOf(building)];
			for (const state of ['online', 'offline']) {
				await run('mosquitto_pub', [...login, '-q', '1', '-r', '-t', `status/${building.sensorId}`, '-m', state], {
					timeout: 10_000,
				});
			}
		},
		stop: () => site.stop(),
	};
}

async function must(reply: Promise<Reply>, status: number): Promise<void> {
	const { status: got, text } = await reply;
	if (got !== status) throw new Error(`setting the campus up: ${got} ${text}`);
}

/** Whether these memberships let somebody see a building at all, or with a role. */
export const sees = (memberships: readonly Membership[], { domains }: Marked): boolean =>
	weightIn(memberships, domains) > 0;

export const ROLES_OF_DOMAINS: Role[] = ['business_admin', 'business_staff', 'standard_customer'];
