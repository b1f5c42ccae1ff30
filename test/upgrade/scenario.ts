/** The guarantees of an upgrade, as tests that every composition runs. */
import type { Alert, BuildingState, HistoryPoint } from '@crowdvision/contracts';
import { waitFor } from '@crowdvision/testing/wait';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FromFixture } from './from-fixture.ts';
import {
	type Asking,
	ask,
	type Dashboard,
	domainPath,
	ingest,
	inviteCode,
	type MqttSession,
	must,
	openDashboard,
	openMqtt,
	signIn,
} from './front-door.ts';
import { PEOPLE, type Person, pastValue, REPEATABLE, SERIES } from './put-in.ts';

const SOON = { timeout: 15_000, interval: 50 };

/** Requests as one of the fixture's accounts, by the session it had. */
const as =
	(site: () => FromFixture) =>
	<T>(person: Person, method: string, path: string, body?: unknown): Promise<T> => {
		const asking: Asking = { token: site().putIn.accounts[person].token, ...(body !== undefined && { body }) };
		return must<T>(site(), method, path, asking);
	};

/** What an upgrade keeps; the same for every composition. `start` is called once. */
export function describeUpgrade(name: string, start: () => Promise<FromFixture>): void {
	describe(`started on the data of the version before: ${name}`, () => {
		let started: FromFixture | undefined;
		const site = () => started!;
		beforeAll(async () => {
			started = await start();
		}, 120_000);
		afterAll(() => started?.stop());

		it('answers every question as that version did', async () => {
			for (const { as: person, path, body } of site().answers)
				expect(await as(site)(person, 'GET', path), `${person} ${path}`).toMatchObject(body as object);
		});
		describeAccounts(site);
		describeHistory(site);
		describeAlerts(site);
		describeSessions(site);
		describeSensors(site);
	});
}

function describeAccounts(site: () => FromFixture): void {
	it('takes the passwords that were set, and no earlier one', async () => {
		for (const account of Object.values(site().putIn.accounts)) await signIn(site(), account);
		const { email, password } = PEOPLE.cleo;
		expect(await ask(site(), 'POST', '/auth/login', { body: { email, password } })).toMatchObject({ status: 401 });
	});

	it('takes the sessions that were open, and not the one that was signed out of', async () => {
		const { accounts, signedOut: token } = site().putIn;
		for (const path of ['/auth/me', '/twin/buildings', '/notification/alerts']) {
			expect(await ask(site(), 'GET', path, accounts.ada), path).toMatchObject({ status: 200 });
			expect(await ask(site(), 'GET', path, { token }), path).toMatchObject({ status: 401 });
		}
	});

	it('shows every account the buildings of its domains and subdomains, and no others', async () => {
		const seen = async (person: Person) =>
			(await as(site)<{ buildings: { id: string }[] }>(person, 'GET', '/twin/buildings')).buildings.map(({ id }) => id);
		expect(await seen('ada')).toEqual(['annex', 'lyceum']);
		expect(await seen('ben')).toEqual(['annex', 'lyceum', 'mill']);
		expect(await seen('cleo')).toEqual(['annex']);
		const { token } = site().putIn.accounts.cleo;
		expect(await ask(site(), 'GET', '/twin/buildings/lyceum/state', { token })).toMatchObject({ status: 404 });
	});

	it('lets somebody join by a code of the invite that was handed out', async () => {
		const body = { email: 'dan@north.example', password: 'dan came after the upgrade', name: 'Dan' };
		const { token } = await must<{ token: string }>(site(), 'POST', '/auth/register', { body });
		const code = inviteCode(site().putIn.inviteSecret, site().now());
		const joined = await must(site(), 'POST', domainPath('north', '/join'), { token, body: { code } });
		expect(joined).toMatchObject({ name: 'north', role: 'standard_customer' });
	});

	it('goes on with a conversation', async () => {
		const { conversationId } = site().putIn;
		await as(site)('ada', 'POST', '/llm/ask', { question: 'How many people are in the lab?', conversationId });
		const { conversations } = await as(site)<{ conversations: { id: string; turns: { question: string }[] }[] }>(
			'ada',
			'GET',
			'/llm/conversations',
		);
		expect(conversations).toHaveLength(1);
		expect(conversations[0]).toMatchObject({
			id: conversationId,
			turns: [{ question: 'Which room is the least crowded?' }, { question: 'How many people are in the lab?' }],
		});
	});
}

function describeHistory(site: () => FromFixture): void {
	it('keeps every reading of the past at its time', async () => {
		const { from, to, everyMs } = site().putIn.past;
		for (const [series, { buildingId, roomId, metric }] of Object.entries(SERIES)) {
			const query = `room=${roomId}&metric=${metric}&from=${from}&to=${to}&bucket=${everyMs / 60_000}m&agg=last`;
			const path = `/twin/buildings/${buildingId}/history?${query}`;
			const { points } = await as(site)<{ points: HistoryPoint[] }>('ben', 'GET', path);
			const expected = Array.from({ length: (to - from) / everyMs }, (_, n) => ({
				at: from + n * everyMs,
				value: pastValue(series as keyof typeof SERIES, n),
			}));
			expect(points.map(({ at, value }) => ({ at, value }))).toEqual(expected);
		}
	});

	it('goes on with the log: a returning dashboard gets everything once, and no id is given again', async () => {
		const { stream, accounts, devices } = site().putIn;
		const { token } = accounts.ada;
		const dashboard = await openDashboard(site(), { token, buildingId: 'lyceum', cursor: stream.after });
		const sent = { ...SERIES['hall temperature'], value: 23.5 };
		// The same once more, acknowledged like the first time, and then one that is new.
		await ingest(site(), devices.gate.token, REPEATABLE);
		await ingest(site(), devices.gate.token, sent);
		await expect.poll(() => dashboard.readings.at(-1), SOON).toMatchObject(sent);
		dashboard.close();
		const ids = dashboard.readings.map(({ id }) => id);
		expect(dashboard.superseded).toEqual([]);
		expect(ids.slice(0, stream.ids.length)).toEqual(stream.ids);
		expect(new Set(ids).size).toBe(ids.length);
		expect(dashboard.readings.filter(({ sensorId, seq }) => sensorId === 'cam-hall' && seq === 2)).toHaveLength(1);
		const offsets = ids.map((id) => Number(id.split('-')[1]));
		expect(offsets).toEqual(offsets.toSorted((a, b) => a - b));
		expect(new Set(ids.map((id) => id.split('-')[0])).size).toBe(1);
	});

	it('adds new readings to the history, each once', async () => {
		const { from } = site().putIn.past;
		const query = `room=hall&metric=temperature&from=${from}&to=${site().now()}&bucket=1d&agg=count`;
		const count = async () => {
			const path = `/twin/buildings/lyceum/history?${query}`;
			const { points } = await as(site)<{ points: HistoryPoint[] }>('ada', 'GET', path);
			return points.reduce((sum, { value }) => sum + (value ?? 0), 0);
		};
		// 216 of the past, one of the version before, one of now.
		await expect.poll(count, SOON).toBe(218);
	});
}

function describeAlerts(site: () => FromFixture): void {
	const alerts = async (person: Person, buildingId: string, kind: Alert['kind']) => {
		const all = (await as(site)<{ alerts: Alert[] }>(person, 'GET', '/notification/alerts')).alerts;
		return all.filter((alert) => alert.buildingId === buildingId && alert.kind === kind);
	};

	it('keeps the open alert, resolves it once when the room has emptied, and opens a new one after that', async () => {
		const { accounts, alerts: ids, devices } = site().putIn;
		const dashboard: Dashboard = await openDashboard(site(), { token: accounts.ada.token, buildingId: 'lyceum' });
		const count = (value: number, seq: number) =>
			ingest(site(), devices.gate.token, { ...REPEATABLE, value, seq, boot: 'second' });
		expect(await alerts('ada', 'lyceum', 'occupancy')).toMatchObject([{ id: ids.open, state: 'open', limit: 10 }]);
		// Still too many; fewer, but not below the clear level; few.
		for (const [seq, value] of [13, 10, 9, 8].entries()) await count(value, seq);
		await expect
			.poll(() => alerts('ada', 'lyceum', 'occupancy'), SOON)
			.toMatchObject([{ id: ids.open, state: 'resolved', value: 9 }]);
		await count(14, 4);
		await expect
			.poll(async () => (await alerts('ada', 'lyceum', 'occupancy')).map(({ state }) => state), SOON)
			.toEqual(['open', 'resolved']);
		await expect
			.poll(() => dashboard.alerts.map(({ id, state }) => [id === ids.open, state]), SOON)
			.toEqual([
				[true, 'resolved'],
				[false, 'open'],
			]);
		dashboard.close();
	});

	it('keeps an acknowledgement until its alert is over', async () => {
		const { alerts: ids, devices } = site().putIn;
		const [alert] = await alerts('ben', 'mill', 'temperature');
		expect(alert).toMatchObject({ id: ids.acknowledged, state: 'acknowledged' });
		const oven = { buildingId: 'mill', roomId: 'floor', sensorId: 'oven', metric: 'temperature', value: 20 };
		await ingest(site(), devices.mill.token, oven);
		await expect
			.poll(() => alerts('ben', 'mill', 'temperature'), SOON)
			.toMatchObject([{ id: ids.acknowledged, state: 'resolved' }]);
	});

	it('judges by the limits that were set, of a room before those of its building', async () => {
		const { alerts: ids, devices } = site().putIn;
		await ingest(site(), devices.gate.token, { ...SERIES['lab co2'], value: 1000 });
		await expect
			.poll(() => alerts('ada', 'lyceum', 'co2'), SOON)
			.toMatchObject([
				{ state: 'open', severity: 'critical', limit: 900 },
				{ id: ids.resolved, state: 'resolved' },
			]);
	});
}

function describeSessions(site: () => FromFixture): void {
	it('gives a session that was away what waits for it: in order, once', async () => {
		const { doors } = site().putIn.devices;
		const watcher = await openMqtt(site(), doors, { clientId: 'watcher', clean: false });
		expect(watcher.present).toBe(true);
		const said = ({ received }: MqttSession) => received.map(({ topic, payload, qos }) => ({ topic, payload, qos }));
		const message = (payload: string) => ({ topic: 'status/door-1', payload, qos: 1 });
		// Two that the device sent; and a gateway says at each start which sensors are offline, as it did then and now.
		const waiting = ['online', 'offline', 'offline', 'offline'].map(message);
		await expect.poll(() => said(watcher), SOON).toEqual(waiting);
		await watcher.close();

		const again = await openMqtt(site(), doors, { clientId: 'watcher', clean: false });
		const speaker = await openMqtt(site(), doors, { clientId: 'speaker', clean: true });
		await speaker.client.publishAsync('status/door-1', 'online', { qos: 1 });
		await expect.poll(() => said(again), SOON).toEqual([message('online')]);
		await Promise.all([again.close(), speaker.close()]);
	});

	it('keeps what was retained', async () => {
		const session = await openMqtt(site(), site().putIn.devices.doors, { clientId: 'newcomer', clean: true });
		await session.client.subscribeAsync('status/door-2', { qos: 1 });
		await expect
			.poll(() => session.received, SOON)
			.toEqual([{ topic: 'status/door-2', payload: 'online', qos: 1, retain: true }]);
		await session.close();
	});
}

function describeSensors(site: () => FromFixture): void {
	const state = () => as(site)<BuildingState>('ada', 'GET', '/twin/buildings/lyceum/state');
	const send = (device: 'gate' | 'doors' | 'mill' | 'revoked', body: object) =>
		ask<{ error?: { code: string } }>(site(), 'POST', '/ingest', { token: site().putIn.devices[device].token, body });

	it('takes the tokens of devices, and not the one that was revoked', async () => {
		const reading = { ...SERIES['hall temperature'], value: 22 };
		expect(await send('gate', reading)).toMatchObject({ status: 202 });
		expect(await send('revoked', reading)).toMatchObject({ status: 401 });
		expect(await send('mill', reading)).toMatchObject({ status: 403 });
	});

	it('knows the place of a sensor that was adopted, and that another was replaced', async () => {
		expect(await send('gate', { sensorId: 'stray-1', metric: 'humidity', value: 44 })).toMatchObject({ status: 202 });
		await expect
			.poll(async () => (await state()).rooms.attic?.values.humidity, SOON)
			.toMatchObject({ value: 44, sensorId: 'stray-1' });
		expect(await send('gate', { sensorId: 'thermo-old', metric: 'temperature', value: 20 })).toMatchObject({
			status: 403,
			body: { error: { message: expect.stringContaining('replaced by "thermo-new"') } },
		});
		expect(await send('gate', { sensorId: 'thermo-new', metric: 'temperature', value: 20 })).toMatchObject({
			status: 202,
		});
	});

	it('lets a sensor that waits in quarantine be adopted', async () => {
		const quarantined = async () =>
			(await as(site)<{ quarantined: { sensorId: string }[] }>('ben', 'GET', '/gateway/devices')).quarantined.map(
				({ sensorId }) => sensorId,
			);
		expect(await quarantined()).toEqual(['stray-2']);
		const place = { buildingId: 'mill', roomId: 'loft' };
		await as(site)('ben', 'POST', '/gateway/devices/stray-2/adopt', place);
		expect(await send('mill', { sensorId: 'stray-2', metric: 'humidity', value: 42 })).toMatchObject({ status: 202 });
		expect(await quarantined()).toEqual([]);
	});

	it('P14 lets another domain use the id of a sensor that was registered, and each keeps its own', async () => {
		const place = { sensorId: 'thermo-1', roomId: 'floor' };
		const path = '/twin/buildings/mill/sensors';
		expect(await as(site)('ben', 'POST', path, place)).toMatchObject({ buildingId: 'mill', ...place });
		const reading = { sensorId: 'thermo-1', metric: 'humidity', value: 41 };
		await waitFor('the registration', async () => (await send('mill', reading)).status === 202);
		expect(await send('gate', { ...reading, value: 43 })).toMatchObject({ status: 202 });
		const sensors = ({ building, person }: { building: string; person: Person }) =>
			as(site)<{ sensors: { sensorId: string }[] }>(person, 'GET', `/twin/buildings/${building}/sensors`);
		const own = { sensors: expect.arrayContaining([expect.objectContaining({ sensorId: 'thermo-1' })]) };
		expect(await sensors({ building: 'lyceum', person: 'ada' })).toMatchObject(own);
		expect(await sensors({ building: 'mill', person: 'ben' })).toMatchObject(own);
		await as(site)('ben', 'DELETE', `${path}/thermo-1`);
		expect(await sensors({ building: 'lyceum', person: 'ada' })).toMatchObject(own);
	});

	it('P14 lets another domain use the id of a sensor that was replaced, which stays replaced', async () => {
		const reading = { sensorId: 'thermo-old', metric: 'humidity', value: 45 };
		await as(site)('ben', 'POST', '/twin/buildings/mill/sensors', { sensorId: 'thermo-old', roomId: 'floor' });
		await waitFor('the registration', async () => (await send('mill', reading)).status === 202);
		expect(await send('gate', reading)).toMatchObject({ status: 403 });
		await as(site)('ben', 'DELETE', '/twin/buildings/mill/sensors/thermo-old');
		expect(await send('gate', reading)).toMatchObject({ status: 403 });
	});

	it('takes in on replay what was refused before', async () => {
		const { refusedId } = site().putIn;
		const replayed = await as(site)('ada', 'POST', '/gateway/rejected/replay', { ids: [refusedId] });
		expect(replayed).toMatchObject({ replayed: [{ id: refusedId, outcome: 'accepted', accepted: 1 }] });
	});

	it('counts on from the count that a room had', async () => {
		expect((await state()).rooms.lab?.values.peopleCount).toMatchObject({ value: 4 });
		const { doors } = site().putIn.devices;
		const session = await openMqtt(site(), doors, { clientId: 'crossings', clean: true });
		await session.client.publishAsync('telemetry/lyceum/lab/door-1/peopleIn', '1', { qos: 1 });
		await session.close();
		await waitFor('the count', async () => (await state()).rooms.lab?.values.peopleCount?.value === 5);
	});
}
