/** Fills a product through its front door with all that an upgrade must keep. */
import type { Alert, BuildingState } from '@crowdvision/contracts';
import { waitFor } from '@crowdvision/testing/wait';
import { ANNEX, LYCEUM, LYCEUM_COLUMNS, LYCEUM_LIMITS, MILL, MILL_LIMITS } from './buildings.ts';
import {
	ask,
	domainPath,
	type FrontDoor,
	ingest,
	inviteCode,
	type MqttSession,
	must,
	openDashboard,
	openMqtt,
	signIn,
} from './front-door.ts';

export type Person = 'ada' | 'ben' | 'cleo';
export type DeviceName = 'gate' | 'doors' | 'mill' | 'revoked';

export interface Account {
	id: string;
	email: string;
	password: string;
	/** Of a session that is open. */
	token: string;
}

/** What was put in through the front door, with what only the product knew. Times are epoch ms. */
export interface PutIn {
	accounts: Record<Person, Account>;
	/** Token of a session of Ada's that she signed out of. */
	signedOut: string;
	/** Secret of the invite to the domain north as standard_customer. */
	inviteSecret: string;
	devices: Record<DeviceName, { deviceId: string; token: string }>;
	/** One reading of each series at `from` and then every `everyMs`, before `to`. */
	past: { from: number; to: number; everyMs: number };
	/** Everything the Lyceum said after this cursor: ids of its readings, in order. */
	stream: { after: string; ids: string[] };
	alerts: Record<'open' | 'resolved' | 'acknowledged', string>;
	conversationId: string;
	/** Id of stray-1's message in the rejected list. */
	refusedId: number;
}

export const PEOPLE: Record<Person, { email: string; name: string; password: string }> = {
	ada: { email: 'ada@north.example', name: 'Ada', password: 'ada reads every gauge' },
	ben: { email: 'ben@south.example', name: 'Ben', password: 'ben keeps the mill dry' },
	cleo: { email: 'cleo@north.example', name: 'Cleo', password: 'cleo had this one before' },
};
const CLEO_NOW = 'cleo chose a longer one';

/** The last reading with a seq. Sent again, it is the same. */
export const REPEATABLE = {
	sensorId: 'cam-hall',
	metric: 'peopleCount',
	value: 12,
	buildingId: 'lyceum',
	roomId: 'hall',
	seq: 2,
	boot: 'first',
};

/** A room's series in the past; `value` of the nth reading. */
export const SERIES = {
	'hall temperature': { sensorId: 'thermo-1', buildingId: 'lyceum', roomId: 'hall', metric: 'temperature' },
	'lab co2': { sensorId: 'co2-1', buildingId: 'lyceum', roomId: 'lab', metric: 'co2' },
	'loft humidity': { sensorId: 'hygro-1', buildingId: 'mill', roomId: 'loft', metric: 'humidity' },
} as const;
export const pastValue = (series: keyof typeof SERIES, n: number): number =>
	series === 'lab co2' ? 400 + 10 * (n % 20) : series === 'hall temperature' ? 18 + (n % 6) : 40 + (n % 12);

const HOUR_MS = 3600_000;
const PAST_MS = 72 * HOUR_MS;
const EVERY_MS = 20 * 60_000;

/** Fills an empty composition, as its users and devices would. */
export async function putIn(door: FrontDoor): Promise<PutIn> {
	const { accounts, signedOut, inviteSecret } = await people(door);
	const devices = await places(door, accounts);
	const past = await tellPast(door, devices);
	const { stream, alerts } = await tellPresent(door, accounts, devices);
	const refusedId = await strangers(door, accounts, devices);
	await leaveMessages(door, devices.doors);
	const { conversationId } = await must<{ conversationId: string }>(door, 'POST', '/llm/ask', {
		token: accounts.ada.token,
		body: { question: 'Which room is the least crowded?' },
	});
	return { accounts, signedOut, inviteSecret, devices, past, stream, alerts, conversationId, refusedId };
}

/** Three accounts, two domains and a subdomain; two of the accounts joined by a code. */
async function people(door: FrontDoor) {
	const register = async (person: Person): Promise<Account> => {
		const body = PEOPLE[person];
		const made = await must<{ token: string; account: { id: string } }>(door, 'POST', '/auth/register', { body });
		return { id: made.account.id, email: body.email, password: body.password, token: made.token };
	};
	const accounts = { ada: await register('ada'), ben: await register('ben'), cleo: await register('cleo') };
	const { ada, ben, cleo } = accounts;
	await must(door, 'POST', '/auth/domains', { token: ada.token, body: { name: 'north' } });
	await must(door, 'POST', domainPath('north', '/subdomains'), { token: ada.token, body: { name: 'annex' } });
	await must(door, 'POST', '/auth/domains', { token: ben.token, body: { name: 'south', public: true } });
	const secretOf = async (domain: string, role: string) => {
		const path = domainPath(domain, '/invites');
		const { invites } = await must<{ invites: { role: string; secret: string }[] }>(door, 'GET', path, ada);
		return invites.find((invite) => invite.role === role)!.secret;
	};
	const join = async ({ token }: Account, domain: string, secret: string) =>
		must(door, 'POST', domainPath(domain, '/join'), { token, body: { code: inviteCode(secret, Date.now()) } });
	const inviteSecret = await secretOf('north', 'standard_customer');
	await join(ben, 'north', inviteSecret);
	await join(cleo, 'north/annex', await secretOf('north/annex', 'business_staff'));
	const change = { password: cleo.password, newPassword: CLEO_NOW };
	await must(door, 'PUT', '/auth/me/password', { token: cleo.token, body: change });
	cleo.password = CLEO_NOW;
	for (const account of Object.values(accounts)) account.token = await signIn(door, account);
	const signedOut = await signIn(door, ada);
	await must(door, 'POST', '/auth/logout', { token: signedOut });
	return { accounts, signedOut, inviteSecret };
}

/** Three buildings with limits, columns and registered sensors, and the devices that may send for them. */
async function places(door: FrontDoor, { ada, ben }: PutIn['accounts']): Promise<PutIn['devices']> {
	const twin = (method: string, path: string, { token }: Account, body: unknown) =>
		must(door, method, `/twin/buildings${path}`, { token, body });
	await twin('POST', '', ada, LYCEUM);
	await twin('POST', '', ada, ANNEX);
	await twin('POST', '', ben, MILL);
	await twin('PUT', '/lyceum/thresholds', ada, LYCEUM_LIMITS);
	await twin('PUT', '/mill/thresholds', ben, MILL_LIMITS);
	await twin('PUT', '/lyceum/columns', ada, { columns: LYCEUM_COLUMNS });
	for (const [sensorId, roomId] of [
		['thermo-1', 'hall'],
		['co2-1', 'lab'],
		['thermo-old', 'attic'],
	])
		await twin('POST', '/lyceum/sensors', ada, { sensorId, roomId });
	const device = (domain: string, { token }: Account, body: object) =>
		must<{ deviceId: string; token: string }>(door, 'POST', domainPath(domain, '/devices'), { token, body });
	const devices = {
		gate: await device('north', ada, { name: 'The gate', buildingId: 'lyceum' }),
		doors: await device('north', ada, { name: 'Doors', sensorIds: ['door-1', 'door-2'] }),
		mill: await device('south', ben, { name: 'The mill' }),
		revoked: await device('north', ada, { name: 'Lost', buildingId: 'lyceum' }),
	};
	await must(door, 'DELETE', domainPath('north', `/devices/${devices.revoked.deviceId}`), { token: ada.token });
	return devices;
}

/** Three days of three sensors, all of it over before now. */
async function tellPast(door: FrontDoor, { gate, mill }: PutIn['devices']): Promise<PutIn['past']> {
	const to = Math.floor(Date.now() / HOUR_MS) * HOUR_MS - HOUR_MS;
	const from = to - PAST_MS;
	for (const [name, place] of Object.entries(SERIES)) {
		const { token } = place.buildingId === 'mill' ? mill : gate;
		const readings = Array.from({ length: PAST_MS / EVERY_MS }, (_, n) => ({
			...place,
			value: pastValue(name as keyof typeof SERIES, n),
			observedAt: from + n * EVERY_MS,
		}));
		// A gateway that has not heard of the building yet refuses.
		await waitFor(`the gateway to take ${name}`, () => ingest(door, token, ...readings).then(() => true));
	}
	return { from, to, everyMs: EVERY_MS };
}

/** What is now: counts, a count made of crossings, and an alert in each state. */
async function tellPresent(door: FrontDoor, { ada, ben }: PutIn['accounts'], devices: PutIn['devices']) {
	const { gate, doors, mill } = devices;
	const { cursor: after } = await must<BuildingState>(door, 'GET', '/twin/buildings/lyceum/state', ada);
	const dashboard = await openDashboard(door, { token: ada.token, buildingId: 'lyceum', cursor: after });
	const alertOf = (account: Account, buildingId: string, kind: string, state: Alert['state']) =>
		waitFor(`the alert on ${kind} to be ${state}`, async () => {
			const { alerts } = await must<{ alerts: Alert[] }>(door, 'GET', '/notification/alerts', account);
			return alerts.find((alert) => alert.buildingId === buildingId && alert.kind === kind && alert.state === state)
				?.id;
		});
	await ingest(door, gate.token, { ...REPEATABLE, value: 7, seq: 1 });
	await ingest(door, gate.token, { sensorId: 'thermo-1', metric: 'temperature', value: 21.5 });
	await ingest(door, gate.token, { sensorId: 'co2-1', metric: 'co2', value: 1500 });
	await alertOf(ada, 'lyceum', 'co2', 'open');
	await ingest(door, gate.token, { sensorId: 'co2-1', metric: 'co2', value: 600 });
	const resolved = await alertOf(ada, 'lyceum', 'co2', 'resolved');
	await ingest(door, gate.token, REPEATABLE);
	const open = await alertOf(ada, 'lyceum', 'occupancy', 'open');
	await crossings(door, doors, ada);
	const oven = { buildingId: 'mill', roomId: 'floor', sensorId: 'oven', metric: 'temperature', value: 35 };
	await ingest(door, mill.token, oven);
	const acknowledged = await alertOf(ben, 'mill', 'temperature', 'open');
	await must(door, 'POST', `/notification/alerts/${acknowledged}/ack`, { token: ben.token });
	const ids = await waitFor('the dashboard to have seen all', () => {
		const isLast = ({ sensorId, value }: { sensorId: string; value: number }) =>
			sensorId.startsWith('operator:') && value === 4;
		return dashboard.readings.some(isLast) && dashboard.readings.map(({ id }) => id);
	});
	dashboard.close();
	return { stream: { after, ids }, alerts: { open, resolved, acknowledged } };
}

/** Five people into the lab and two out of it, by MQTT; then staff says that four are there. */
async function crossings(door: FrontDoor, doors: PutIn['devices']['doors'], { token }: Account): Promise<void> {
	const session = await openMqtt(door, doors, { clientId: 'crossings', clean: true });
	const cross = (metric: string, value: number) =>
		session.client.publishAsync(`telemetry/lyceum/lab/door-1/${metric}`, `${value}`, { qos: 1 });
	await cross('peopleIn', 5);
	await cross('peopleOut', 2);
	await session.client.publishAsync('telemetry/lyceum/lab/door-1/temperature', 'warm', { qos: 1 });
	await session.close();
	const count = async () =>
		(await must<BuildingState>(door, 'GET', '/twin/buildings/lyceum/state', { token })).rooms.lab?.values.peopleCount;
	await waitFor('the count of the lab', async () => (await count())?.value === 3);
	await must(door, 'POST', '/gateway/rooms/lyceum/lab/correction', { token, body: { count: 4, note: 'looked' } });
}

/** Sensors of unknown place: one adopted, one that waits, one that took another's place. */
async function strangers(door: FrontDoor, { ada }: PutIn['accounts'], { gate, mill }: PutIn['devices']) {
	const { token } = ada;
	const refused = async (device: { token: string }, body: object) => {
		const { status } = await ask(door, 'POST', '/ingest', { token: device.token, body });
		if (status !== 422) throw new Error(`a sensor of unknown place was answered ${status}`);
	};
	const registered = (sensorId: string) =>
		waitFor(`${sensorId} to be registered`, async () => {
			const path = '/twin/buildings/lyceum/sensors';
			const { sensors } = await must<{ sensors: { sensorId: string }[] }>(door, 'GET', path, { token });
			return sensors.some((sensor) => sensor.sensorId === sensorId);
		});
	await refused(gate, { sensorId: 'stray-1', metric: 'humidity', value: 41 });
	await refused(mill, { sensorId: 'stray-2', metric: 'humidity', value: 42 });
	const adopt = { buildingId: 'lyceum', roomId: 'attic' };
	await must(door, 'POST', '/gateway/devices/stray-1/adopt', { token, body: adopt });
	await registered('stray-1');
	await ingest(door, gate.token, { sensorId: 'stray-1', metric: 'humidity', value: 43 });

	await ingest(door, gate.token, { sensorId: 'thermo-old', metric: 'temperature', value: 21 });
	await must(door, 'POST', '/gateway/devices/thermo-old/replace', { token, body: { by: 'thermo-new' } });
	await registered('thermo-new');
	await ingest(door, gate.token, { sensorId: 'thermo-new', metric: 'temperature', value: 22 });
	const path = '/gateway/rejected?sensor=stray-1';
	return (await must<{ rejected: { id: number }[] }>(door, 'GET', path, { token })).rejected[0]!.id;
}

/** A session that is away, two messages that wait for it, and two retained ones. */
async function leaveMessages(door: FrontDoor, doors: PutIn['devices']['doors']): Promise<void> {
	const watcher: MqttSession = await openMqtt(door, doors, { clientId: 'watcher', clean: false });
	await watcher.client.subscribeAsync('status/door-1', { qos: 1 });
	await watcher.close();
	const speaker = await openMqtt(door, doors, { clientId: 'speaker', clean: true });
	for (const [topic, state] of [
		['status/door-1', 'online'],
		['status/door-1', 'offline'],
		['status/door-2', 'online'],
	] as const)
		await speaker.client.publishAsync(topic, state, { qos: 1, retain: true });
	await speaker.close();
}
