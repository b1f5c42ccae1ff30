/** What the tests of tenancy do at random, and who may see what of it. */
import type { Answer, BuildingState } from '@crowdvision/contracts';
import { waitFor } from '@crowdvision/testing/wait';
import mqtt from 'mqtt';
import { io } from 'socket.io-client';
import { connectDashboard } from '../support/live-dashboards.ts';
import type { Site } from './site.ts';

export const TENANTS = ['north', 'south', 'west'] as const;
export type TenantName = (typeof TENANTS)[number];
export const BUILDING_IDS = ['annex', 'tower'] as const;
export const SENSOR_IDS = ['eye', 'door'] as const;
export const TRANSPORTS = ['http', 'mqtt', 'socket.io'] as const;

export type Step =
	| { do: 'make'; building: string; by: TenantName }
	| { do: 'remove'; building: string }
	| { do: 'toggle room'; building: string }
	| { do: 'register' | 'unregister'; building: string; sensor: string }
	| { do: 'send'; building: string; room: string; sensor: string; by: TenantName; over: (typeof TRANSPORTS)[number] }
	| { do: 'ask'; by: TenantName };

/** A value that was sent, and where: the number says which building, of all that had the id, and which of its rooms. */
interface Sent {
	by: TenantName;
	building: number;
	room: number;
}

interface Building {
	by: TenantName;
	/** Differs from every other building, also of the same id. */
	incarnation: number;
	/** Of each room that it has. */
	rooms: Map<string, number>;
	/** The last value of each room. */
	last: Map<string, number>;
}

const PATIENCE_MS = 60_000;
/** Values look like no other number of an answer, and are not taken for digits inside an id. */
const FIRST_VALUE = 20_001;
const SHOWN_VALUE = /(?<![\w.-])2\d{4}(?![\w-])/g;

const ROOM_IDS = ['board', 'side'];
/** A question that names the room, of all buildings. */
const questionOn = (building: string, room: string) => `How many people are in ${building} ${room}?`;

const roomOf = (building: string, id: string) => ({
	id,
	name: `${building} ${id}`,
	capacity: 10,
	position: { x: 0, y: 0, z: 0 },
	dimensions: { width: 4, height: 3, depth: 4 },
});

/** All tenants of a site, through many histories: what each was told is compared with what is its own. */
export class Tenants {
	readonly #site: Site;
	readonly #buildings = new Map<string, Building>();
	readonly #sent = new Map<number, Sent>();
	#value = FIRST_VALUE;
	#incarnation = 0;

	constructor(site: Site) {
		this.#site = site;
	}

	async do(step: Step): Promise<void> {
		switch (step.do) {
			case 'make':
				return this.#make(step.building, step.by);
			case 'remove':
				return this.#remove(step.building);
			case 'toggle room':
				return this.#toggleRoom(step.building);
			case 'register':
			case 'unregister':
				return this.#register(step);
			case 'send':
				return this.#send(step);
			case 'ask':
				await this.#ask(step.by);
		}
	}

	async removeAll(): Promise<void> {
		for (const id of [...this.#buildings.keys()]) await this.#remove(id);
	}

	/** What tenants are shown that is not theirs; empty if all is well. */
	async leaks(): Promise<string[]> {
		await Promise.all([...this.#buildings].map(([id, building]) => this.#settled(id, building)));
		return (await Promise.all(TENANTS.map((tenant) => this.#leaksTo(tenant)))).flat();
	}

	async #make(id: string, by: TenantName): Promise<void> {
		const body = { id, domains: [by], rooms: ROOM_IDS.map((room) => roomOf(id, room)) };
		const { status, text } = await this.#site.ask(await this.#token(by), 'POST', '/twin/buildings', body);
		const expected = this.#buildings.has(id) ? 409 : 201;
		if (status !== expected) throw new Error(`making ${id} was answered ${status} ${text}`);
		if (status === 409) return;
		const incarnation = ++this.#incarnation;
		const rooms = new Map(ROOM_IDS.map((room) => [room, ++this.#incarnation]));
		this.#buildings.set(id, { by, incarnation, rooms, last: new Map() });
	}

	async #remove(id: string): Promise<void> {
		const building = this.#buildings.get(id);
		if (!building) return;
		await this.#site.call(await this.#token(building.by), 'DELETE', `/twin/buildings/${id}`);
		this.#buildings.delete(id);
	}

	async #toggleRoom(id: string): Promise<void> {
		const building = this.#buildings.get(id);
		if (!building) return;
		const had = building.rooms.has('side');
		const rooms = [roomOf(id, 'board'), ...(had ? [] : [roomOf(id, 'side')])];
		await this.#site.call(await this.#token(building.by), 'PATCH', `/twin/buildings/${id}`, { rooms });
		building.last.delete('side');
		if (had) building.rooms.delete('side');
		else building.rooms.set('side', ++this.#incarnation);
	}

	async #register(step: Extract<Step, { do: 'register' | 'unregister' }>): Promise<void> {
		const building = this.#buildings.get(step.building);
		if (!building) return;
		const [token, path] = [await this.#token(building.by), `/twin/buildings/${step.building}/sensors`];
		const { status, text } =
			step.do === 'register'
				? await this.#site.ask(token, 'POST', path, { sensorId: step.sensor, roomId: 'board' })
				: await this.#site.ask(token, 'DELETE', `${path}/${step.sensor}`);
		if (status >= 500 || status === 403) throw new Error(`${step.do} was answered ${status} ${text}`);
	}

	/** Sends a reading; of the building's owner until it is taken, and of anybody else once, in vain. */
	async #send({ building: id, room, sensor, by, over }: Extract<Step, { do: 'send' }>): Promise<void> {
		const building = this.#buildings.get(id);
		const roomNumber = building?.rooms.get(room);
		const value = this.#value++;
		const reading = { sensorId: sensor, buildingId: id, roomId: room, metric: 'peopleCount', value };
		const isOwn = building?.by === by;
		// A room that is not there takes values that nobody sees.
		this.#sent.set(value, isOwn ? { by, building: building.incarnation, room: roomNumber ?? -1 } : outside(by));
		const device = await this.#site.tokens.signDevice({ id: `device-of-${by}`, domainName: by });
		const attempt = async () => {
			if (over === 'http') return (await this.#site.ask(device, 'POST', '/ingest', reading)).status === 202;
			if (over === 'mqtt') return this.#overMqtt(by, device, reading);
			return this.#overSocketIo(device, reading);
		};
		if (!isOwn) {
			if ((await attempt()) && over !== 'mqtt') throw new Error(`a reading of ${by} for ${id} was taken`);
			return;
		}
		if (over === 'mqtt') await this.#gatewayKnows(by, id);
		await waitFor(`the reading of ${by} over ${over}`, attempt, PATIENCE_MS);
		if (roomNumber !== undefined) building.last.set(room, value);
	}

	/** A refusal over MQTT is acknowledged, so the sender first makes sure that it may send. */
	async #gatewayKnows(by: TenantName, id: string): Promise<void> {
		const device = await this.#site.tokens.signDevice({ id: `device-of-${by}`, domainName: by });
		const reading = { sensorId: 'probe', buildingId: id, roomId: 'board', metric: 'noise', value: 1 };
		const isTaken = async () => (await this.#site.ask(device, 'POST', '/ingest', reading)).status === 202;
		await waitFor('the gateway to know the building', isTaken, PATIENCE_MS);
	}

	async #overMqtt(by: TenantName, device: string, reading: { buildingId: string; roomId: string; sensorId: string }) {
		const options = { username: `device-of-${by}`, password: device, reconnectPeriod: 0 };
		const client = await mqtt.connectAsync(this.#site.mqtt, options, false);
		client.on('error', () => undefined);
		const { buildingId, roomId, sensorId } = reading;
		await client.publishAsync(`telemetry/${buildingId}/${roomId}/${sensorId}`, JSON.stringify(reading), { qos: 1 });
		await client.endAsync(true);
		return true;
	}

	async #overSocketIo(device: string, reading: object): Promise<boolean> {
		const socket = io(this.#site.http, {
			path: '/ingest/socket.io',
			auth: { token: device },
			transports: ['websocket'],
			reconnection: false,
			forceNew: true,
		});
		try {
			return (await socket.timeout(10_000).emitWithAck('reading', reading)).ok === true;
		} finally {
			socket.disconnect();
		}
	}

	/** Waits until every service has what was sent last, so that what is not shown is not merely late. */
	async #settled(id: string, { by, last }: Building): Promise<void> {
		const token = await this.#token(by);
		for (const [room, value] of last) {
			await waitFor(
				`the state of ${id}/${room} to be ${value}`,
				async () => {
					const state = await this.#site.call<BuildingState>(token, 'GET', `/twin/buildings/${id}/state`);
					return state.rooms[room]?.values.peopleCount?.value === value;
				},
				PATIENCE_MS,
			);
			await waitFor(
				`an alert of ${id}/${room}`,
				async () => {
					const { alerts } = await this.#site.call<{ alerts: { buildingId: string; roomId: string; state: string }[] }>(
						token,
						'GET',
						'/notification/alerts',
					);
					return alerts.some((alert) => alert.buildingId === id && alert.roomId === room && alert.state === 'open');
				},
				PATIENCE_MS,
			);
			await waitFor(
				`the answer on ${id}/${room}`,
				async () => plain(await this.#ask(by, questionOn(id, room))).includes(value),
				PATIENCE_MS,
			);
		}
	}

	async #leaksTo(tenant: TenantName): Promise<string[]> {
		const token = await this.#token(tenant);
		const get = async (path: string) => (await this.#site.ask(token, 'GET', path)).text;
		const own = [...this.#buildings].filter(([, { by }]) => by === tenant);
		const shown: [what: string, text: string, isAllowed: (sent: Sent) => boolean][] = [];
		const ofRoom = (sent: Sent) =>
			own.some(
				([, { incarnation, rooms }]) => sent.building === incarnation && [...rooms.values()].includes(sent.room),
			);
		const ofBuilding = (sent: Sent) => own.some(([, { incarnation }]) => sent.building === incarnation);
		const ofTenant = (sent: Sent) => sent.by === tenant;
		shown.push(['alerts', await get('/notification/alerts?limit=500'), ofBuilding]);
		const questions = BUILDING_IDS.flatMap((id) => ROOM_IDS.map((room) => questionOn(id, room)));
		for (const question of [...questions, 'Which alerts are there?'])
			shown.push([question, await this.#ask(tenant, question), ofBuilding]);
		shown.push(['conversations', await get('/llm/conversations'), ofBuilding]);
		for (const path of [
			'/gateway/devices',
			'/gateway/rejected',
			...SENSOR_IDS.map((id) => `/gateway/trace?sensor=${id}`),
		])
			shown.push([path, await get(path), ofTenant]);
		for (const id of BUILDING_IDS) {
			for (const path of ['', '/state', '/sensors', '/history?metric=peopleCount&agg=max&bucket=1m'])
				shown.push([path, await get(`/twin/buildings/${id}${path}`), ofRoom]);
			for (const room of ROOM_IDS) shown.push(['audit', await get(`/gateway/rooms/${id}/${room}/audit`), ofRoom]);
			shown.push([`live updates of ${id}`, await this.#live(token, id), (sent) => ofRoom(sent) || isGone(sent, own)]);
		}
		return shown.flatMap(([what, text, isAllowed]) =>
			plain(text).flatMap((value) => {
				const sent = this.#sent.get(value);
				return sent && !isAllowed(sent) ? [`${tenant} was shown ${value} of ${sent.by} in ${what}`] : [];
			}),
		);
	}

	/** Everything that a dashboard gets of a building from the beginning of the stream. */
	async #live(token: string, id: string): Promise<string> {
		const dashboard = await connectDashboard(this.#site.http, token);
		try {
			const outcome = await dashboard.subscribe(id, '0');
			if (!outcome.ok) return '';
			const last = [...(this.#buildings.get(id)?.last.values() ?? [])];
			await waitFor(
				`the live updates of ${id}`,
				() => last.every((value) => dashboard.values().includes(value)),
				PATIENCE_MS,
			);
			return JSON.stringify([dashboard.readings, dashboard.alerts, dashboard.devices, dashboard.superseded]);
		} finally {
			dashboard.close();
		}
	}

	async #ask(by: TenantName, question = 'How many people are there?'): Promise<string> {
		return (await this.#site.call<Answer>(await this.#token(by), 'POST', '/llm/ask', { question })).answer;
	}

	#token(tenant: TenantName): Promise<string> {
		return this.#site.token([{ domainName: tenant, role: 'business_admin' }], `owner-of-${tenant}`);
	}
}

const outside = (by: TenantName): Sent => ({ by, building: -1, room: -1 });
/** A reading for a room that its own building did not have. */
const isGone = ({ building, room }: Sent, own: readonly (readonly [string, Building])[]) =>
	room === -1 && own.some(([, { incarnation }]) => incarnation === building);

/** The numbers in a text that may be values. */
function plain(text: string): number[] {
	return [...text.replace(/(\d),(?=\d{3}\b)/g, '$1').matchAll(SHOWN_VALUE)].map(([digits]) => Number(digits));
}
