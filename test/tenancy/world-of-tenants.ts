/** What the tests of tenancy do at random, and what is whose after it. */
import { TABLES } from '@crowdvision/contracts';
import { waitFor } from '@crowdvision/testing/wait';
import { Accounts } from './accounts.ts';
import { Shown } from './shown.ts';
import type { Site } from './site.ts';
import { type SentReading, type SignIn, sendOver, type Way } from './ways-in.ts';
import { type Building, ROOM_IDS, type Sent, TENANTS, type TenantName } from './whose.ts';

interface Send {
	do: 'send';
	room: string;
	sensor: string;
	by: TenantName;
	over: Way;
	/** Undefined: wherever the sensor is registered. */
	building: string | undefined;
}

export type Step =
	| { do: 'make'; building: string; by: TenantName }
	| { do: 'remove'; building: string }
	| { do: 'toggle room'; building: string }
	| { do: 'register' | 'unregister'; building: string; sensor: string }
	| { do: 'issue token'; building: string }
	| { do: 'revoke token' }
	| { do: 'use old token'; over: Way }
	| { do: 'remake domain' | 'remake account' | 'ask'; by: TenantName }
	| Send;

/** A device's token for one building. */
interface Issued extends SignIn {
	by: TenantName;
	domain: string;
	building: string;
	incarnation: number;
	isRevoked: boolean;
}

const PATIENCE_MS = 60_000;
/** Values look like no other number of an answer. */
const FIRST_VALUE = 20_001;

const roomOf = (building: string, id: string) => ({
	id,
	name: `${building} ${id}`,
	capacity: 10,
	position: { x: 0, y: 0, z: 0 },
	dimensions: { width: 4, height: 3, depth: 4 },
});
const outside = (by: TenantName): Sent => ({ by, building: -1, room: -1 });

/** All tenants of a site, through many histories: what each was told is compared with what is its own. */
export class Tenants {
	readonly #site: Site;
	readonly #accounts: Accounts;
	readonly #buildings = new Map<string, Building>();
	readonly #sent = new Map<number, Sent>();
	readonly #issued: Issued[] = [];
	#value = FIRST_VALUE;
	#incarnation = 0;

	private constructor(site: Site, accounts: Accounts) {
		this.#site = site;
		this.#accounts = accounts;
	}

	static async open(site: Site): Promise<Tenants> {
		return new Tenants(site, await Accounts.open(site, TENANTS));
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
				return this.#register(step.building, step.sensor);
			case 'unregister':
				return this.#unregister(step.building, step.sensor);
			case 'issue token':
				return this.#issue(step.building);
			case 'revoke token':
				return this.#revoke(this.#issued.find(({ isRevoked }) => !isRevoked));
			case 'use old token':
				return this.#useOld(step.over);
			case 'remake domain':
				return this.#remakeDomain(step.by);
			case 'remake account':
				return this.#accounts.remakeVisitor();
			case 'ask':
				await this.#shown.ask(step.by);
				return;
			case 'send':
				return this.#send(step);
		}
	}

	async removeAll(): Promise<void> {
		for (const id of [...this.#buildings.keys()]) await this.#remove(id);
		for (const device of this.#issued) await this.#revoke(device);
		this.#issued.length = 0;
		for (const table of [TABLES.sensors, TABLES.adoptions, TABLES.buildings])
			await waitFor(`nothing in ${table}`, async () => ((await this.#site.keysOf?.(table)) ?? []).length === 0);
	}

	/** What tenants are shown that is not theirs; empty if all is well. */
	async leaks(): Promise<string[]> {
		const shown = this.#shown;
		await Promise.all([...this.#buildings].map(([id, building]) => shown.settled(id, building)));
		return (await Promise.all(TENANTS.map((tenant) => shown.leaksTo(tenant)))).flat();
	}

	get #shown(): Shown {
		return new Shown(this.#site, this.#accounts, this.#buildings, this.#sent);
	}

	async #make(id: string, by: TenantName): Promise<void> {
		const rooms = ROOM_IDS.map((room) => roomOf(id, room));
		const body = { id, domains: [this.#accounts.domainOf(by)], rooms };
		const { status, text } = await this.#accounts.ask(by, 'POST', '/twin/buildings', body);
		const expected = this.#buildings.has(id) ? 409 : 201;
		if (status !== expected) throw new Error(`making ${id} was answered ${status} ${text}`);
		if (status === 409) return;
		const incarnation = ++this.#incarnation;
		const numbers = new Map(ROOM_IDS.map((room) => [room as string, ++this.#incarnation]));
		this.#buildings.set(id, { by, incarnation, rooms: numbers, last: new Map(), sensors: new Set() });
	}

	async #remove(id: string): Promise<void> {
		const building = this.#buildings.get(id);
		if (!building) return;
		await this.#accounts.call(building.by, 'DELETE', `/twin/buildings/${id}`);
		this.#buildings.delete(id);
		for (const sensor of building.sensors) await this.#isUnplaced(building.by, sensor);
	}

	async #toggleRoom(id: string): Promise<void> {
		const building = this.#buildings.get(id);
		if (!building) return;
		const had = building.rooms.has('side');
		const rooms = [roomOf(id, 'board'), ...(had ? [] : [roomOf(id, 'side')])];
		await this.#accounts.call(building.by, 'PATCH', `/twin/buildings/${id}`, { rooms });
		building.last.delete('side');
		if (had) building.rooms.delete('side');
		else building.rooms.set('side', ++this.#incarnation);
	}

	/** A tenant may have one sensor of an id; what others have does not matter. */
	async #register(id: string, sensorId: string): Promise<void> {
		const building = this.#buildings.get(id);
		if (!building) return;
		const path = `/twin/buildings/${id}/sensors`;
		const { status, text } = await this.#accounts.ask(building.by, 'POST', path, { sensorId, roomId: 'board' });
		const other = this.#registeredBy(building.by, sensorId);
		const expected = other === undefined || other === building ? 201 : 409;
		if (status !== expected) throw new Error(`registering ${sensorId} in ${id} was answered ${status} ${text}`);
		if (status === 201) building.sensors.add(sensorId);
	}

	async #unregister(id: string, sensorId: string): Promise<void> {
		const building = this.#buildings.get(id);
		if (!building) return;
		const { status } = await this.#accounts.ask(building.by, 'DELETE', `/twin/buildings/${id}/sensors/${sensorId}`);
		if (status !== (building.sensors.delete(sensorId) ? 204 : 404)) throw new Error(`unregistering: ${status}`);
		if (status === 204) await this.#isUnplaced(building.by, sensorId);
	}

	#registeredBy(by: TenantName, sensorId: string): Building | undefined {
		return [...this.#buildings.values()].find((building) => building.by === by && building.sensors.has(sensorId));
	}

	async #issue(id: string): Promise<void> {
		const building = this.#buildings.get(id);
		if (!building) return;
		const { by, incarnation } = building;
		const domain = this.#accounts.domainOf(by);
		const body = { name: 'device', buildingId: id };
		const device = await this.#accounts.call<{ deviceId: string; token: string }>(by, 'POST', devicesOf(domain), body);
		const { deviceId, token } = device;
		this.#issued.push({ id: deviceId, token, by, domain, building: id, incarnation, isRevoked: false });
	}

	async #revoke(device: Issued | undefined): Promise<void> {
		if (!device || device.isRevoked) return;
		await this.#accounts.call(device.by, 'DELETE', `${devicesOf(device.domain)}/${device.id}`);
		device.isRevoked = true;
	}

	/** Sends with a token that is no longer good, in vain: it was revoked, or its building is another one now. */
	async #useOld(over: Way): Promise<void> {
		const isOld = (one: Issued) => one.isRevoked || this.#buildings.get(one.building)?.incarnation !== one.incarnation;
		const device = this.#issued.find(isOld);
		const building = device && this.#buildings.get(device.building);
		if (!device || (!building && !device.isRevoked)) return;
		if (building) await this.#gatewayKnows(building.by, device.building);
		const reading = () => {
			this.#sent.set(this.#value, outside(device.by));
			return this.#readingOf({ room: 'board', sensor: 'eye', building: device.building }, this.#value++);
		};
		await waitFor('the token to be void', async () => !(await sendOver('http', this.#site, device, reading())));
		if ((await sendOver(over, this.#site, device, reading())) && over !== 'mqtt')
			throw new Error(`an old token of ${device.by} for ${device.building} was taken over ${over}`);
	}

	/** The name of a domain that was removed stays taken, so its owner goes on with another one. */
	async #remakeDomain(by: TenantName): Promise<void> {
		for (const [id, building] of [...this.#buildings]) if (building.by === by) await this.#remove(id);
		for (const device of this.#issued) if (device.by === by) await this.#revoke(device);
		await this.#accounts.remakeDomain(by, TENANTS.find((other) => other !== by)!);
	}

	/** Sends a reading; of the building's owner until it is taken, and of anybody else once, in vain. */
	async #send(step: Send): Promise<void> {
		const { by, room, sensor } = step;
		const place = step.building === undefined ? this.#registeredBy(by, sensor) : this.#buildings.get(step.building);
		const isOwn = place?.by === by;
		const at = step.building === undefined ? 'board' : room;
		const value = this.#value++;
		// A room that is not there takes values that nobody sees.
		const sent = { by, building: place?.incarnation ?? -1, room: place?.rooms.get(at) ?? -1 };
		this.#sent.set(value, isOwn ? sent : outside(by));
		// A topic always names a place.
		const over = step.building === undefined && step.over === 'mqtt' ? 'http' : step.over;
		const attempt = async () =>
			sendOver(over, this.#site, await this.#accounts.device(by), this.#readingOf(step, value));
		if (!isOwn) {
			if ((await attempt()) && over !== 'mqtt') throw new Error(`a reading of ${by} for ${step.building} was taken`);
			return;
		}
		if (over === 'mqtt') await this.#gatewayKnows(by, step.building!);
		await waitFor(`the reading of ${by} over ${over}`, attempt, PATIENCE_MS);
		if (place.rooms.has(at)) place.last.set(at, value);
	}

	#readingOf({ building, room, sensor }: Pick<Send, 'building' | 'room' | 'sensor'>, value: number): SentReading {
		const place = building === undefined ? {} : { buildingId: building, roomId: room };
		return { sensorId: sensor, metric: 'peopleCount', value, ...place };
	}

	/** A refusal over MQTT is acknowledged, so the sender first makes sure that it may send. */
	async #gatewayKnows(by: TenantName, id: string): Promise<void> {
		const reading = { sensorId: 'probe', buildingId: id, roomId: 'board', metric: 'noise', value: 1 };
		const isTaken = async () => sendOver('http', this.#site, await this.#accounts.device(by), reading);
		await waitFor('the gateway to know the building', isTaken, PATIENCE_MS);
	}

	/** Waits until the gateway knows that a sensor is registered no more. */
	async #isUnplaced(by: TenantName, sensorId: string): Promise<void> {
		const reading = { sensorId, metric: 'noise', value: 1 };
		const isTaken = async () => sendOver('http', this.#site, await this.#accounts.device(by), reading);
		await waitFor('the gateway to know of no place', async () => !(await isTaken()), PATIENCE_MS);
	}
}

const devicesOf = (domain: string) => `/auth/domains/${domain}/devices`;
