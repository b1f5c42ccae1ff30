/** The embedded whole with something of everything in it, and a token of each role. */
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { Agent, request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Membership } from '@crowdvision/contracts';
import { Tokens } from '@crowdvision/service-kit';
import { startMailServer } from '@crowdvision/testing/smtp';
import { waitFor } from '@crowdvision/testing/wait';
import { startStandalone } from '../e2e/standalone.ts';
import type { Answer } from './document.ts';
import { plausibleValues } from './plausible-values.ts';
import type { Request, Role } from './requests.ts';
import type { Known } from './schema-values.ts';

const SECRET = 'a secret of the API fuzz only, of 32 characters';
const PATIENCE_MS = 15_000;
/** Everybody's: a sign-in that is guessed right would be an accident. */
const PASSWORD = 'a password of the fuzz';
const LOOKS_PER_RESET = 20;
const ALERT_PATIENCE_MS = 1000;
const BUILDING = 'b1';
const ROOMS = ['hall', 'attic'];
const room = (id: string) => ({
	id,
	capacity: 10,
	position: { x: 0, y: 0, z: 0 },
	dimensions: { width: 4, height: 3, depth: 4 },
});
const GATEWAY = `
decoders:
  - {path: webhook, use: chirpstack}
  - {contentType: application/senml+json, use: senml}
  - {contentType: application/senml+cbor, use: senml}
`;

interface Person {
	id: string;
	email: string;
	memberships: readonly Membership[];
}

const membersOf: Record<string, readonly Membership[]> = {
	outsider: [{ domainName: 'elsewhere', role: 'business_admin' }],
	// Before the others: one of them may be the last admin by now, who cannot be made less.
	admin: [{ domainName: 'museum', role: 'business_admin' }],
	viewer: [{ domainName: 'museum', role: 'standard_customer' }],
	staff: [{ domainName: 'museum', role: 'business_staff' }],
};

export interface Site {
	readonly document: unknown;
	/** Ids and values that exist. */
	readonly known: Known;
	readonly http: string;
	send(method: string, request: Request): Promise<Answer>;
	/** The headers by which a role signs in. */
	signedIn(role: Role): Promise<Record<string, string>>;
	/** Puts back what requests have taken away. */
	furnish(): Promise<void>;
	/** What the process has logged as errors. */
	errors(): string;
	stop(): Promise<void>;
}

/** Starts it. Nothing goes out: names outside are asked of a proxy that is not there. */
export async function openSite(): Promise<Site> {
	const dir = await mkdtemp(join(tmpdir(), 'crowdvision-api-fuzz-'));
	await writeFile(join(dir, 'gateway.yaml'), GATEWAY);
	const mail = await startMailServer();
	const platform = randomUUID();
	const whole = await startStandalone({
		DEMO: '0',
		JWT_SECRET: SECRET,
		RATE_LIMIT: '0',
		ADMINS: platform,
		SSO_REACH: 'loopback',
		SMTP_URL: mail.url,
		MAIL_FROM: 'crowd@example.org',
		GATEWAY_CONFIG: join(dir, 'gateway.yaml'),
		HTTPS_PROXY: 'http://127.0.0.1:1',
		HTTP_PROXY: 'http://127.0.0.1:1',
		NO_PROXY: '127.0.0.1,localhost',
		LOG_LEVEL: 'error',
	});
	const inhabited = new Inhabited(whole.http, platform);
	await inhabited.open();
	return {
		document: await (await fetch(`${whole.http}/docs/openapi.json`)).json(),
		get known() {
			return inhabited.known;
		},
		http: whole.http,
		send: (method, request) => inhabited.send(method, request),
		signedIn: (role) => inhabited.signedIn(role),
		furnish: () => inhabited.furnish(),
		errors: () => whole.process.stdout() + whole.process.stderr(),
		stop: async () => {
			inhabited.close();
			await whole.stop();
			await mail.stop();
			await rm(dir, { recursive: true, force: true });
		},
	};
}

class Inhabited {
	readonly #http: string;
	readonly #tokens = new Tokens(SECRET);
	readonly #agent = new Agent({ keepAlive: true });
	readonly #people = new Map<string, Person>();
	readonly #devices = new Map<string, { id: string; token: string }>();
	/** Removed domains never come back. */
	#empty = 0;
	#looks = 0;
	#reset = 'none yet';
	#known: Record<string, unknown[]> = {};

	constructor(http: string, platform: string) {
		this.#http = http;
		const memberships = [{ domainName: '*', role: 'admin' }] as const;
		this.#people.set('platform', { id: platform, email: 'platform@example.org', memberships });
	}

	get known(): Known {
		return this.#known;
	}

	async open(): Promise<void> {
		for (const role of Object.keys(membersOf)) await this.#register(role);
		await this.#make('outsider', 'POST', '/auth/domains', { name: 'elsewhere' });
		await this.#make('admin', 'POST', '/auth/domains', { name: 'museum', public: true });
		await this.furnish();
	}

	close(): void {
		this.#agent.destroy();
	}

	/** Sends a request as it is; the address of its sender is another one each time, as throttles count by address. */
	async send(method: string, { role, path, headers, body }: Request): Promise<Answer> {
		const url = new URL(this.#http);
		const own: Record<string, string> = { ...headers, ...(await this.signedIn(role)), 'x-forwarded-for': addressOf() };
		if (body !== undefined) own['content-length'] = String(Buffer.byteLength(body));
		return new Promise((resolve, reject) => {
			const sent = httpRequest(
				{ agent: this.#agent, host: url.hostname, port: url.port, method, path, headers: own, timeout: PATIENCE_MS },
				(response) => {
					const chunks: Buffer[] = [];
					response.on('data', (chunk: Buffer) => chunks.push(chunk));
					response.on('error', reject);
					response.on('end', () =>
						resolve({
							status: response.statusCode!,
							type: (response.headers['content-type'] ?? '').split(';')[0]!,
							text: Buffer.concat(chunks).toString(),
						}),
					);
				},
			);
			sent.on('timeout', () => sent.destroy(new Error(`no answer to ${method} ${path} within ${PATIENCE_MS} ms`)));
			sent.on('error', reject);
			sent.end(body);
		});
	}

	/** Idempotent: a request for what is there already is refused. */
	async furnish(): Promise<void> {
		for (const role of Object.keys(membersOf)) {
			await this.#register(role);
			await this.#join(role);
		}
		await this.#make('admin', 'POST', '/auth/domains/museum/subdomains', { name: 'annex' });
		await this.#make('admin', 'POST', '/auth/domains', { name: `empty-${this.#empty}` });
		// Only empty domains can be removed, and a name never comes back.
		await this.#make('outsider', 'POST', '/auth/domains/elsewhere/subdomains', { name: 'annex' });
		await this.#make('outsider', 'POST', '/twin/buildings', {
			id: 'other',
			domains: ['elsewhere'],
			rooms: [room('one')],
		});
		const building = { id: BUILDING, domains: ['museum'], rooms: ROOMS.map(room) };
		await this.#make('admin', 'POST', '/twin/buildings', building);
		await this.#make('admin', 'PATCH', `/twin/buildings/${BUILDING}`, building);
		await this.#make('admin', 'PUT', `/twin/buildings/${BUILDING}/thresholds`, { building: {}, rooms: {} });
		await this.#make('admin', 'POST', `/twin/buildings/${BUILDING}/sensors`, { sensorId: 'camera', roomId: 'hall' });
		await this.#make('admin', 'PUT', `/auth/domains/museum/sso`, {
			issuer: 'http://127.0.0.1:1/issuer',
			clientId: 'x',
		});
		await this.#device('device', {});
		await this.#device('narrow-device', { buildingId: BUILDING, sensorIds: ['camera'] });
		for (const [sensorId, roomId] of [
			['camera', 'hall'],
			['door', 'attic'],
		] as const)
			await this.#make('admin', 'POST', `/gateway/devices/${sensorId}/adopt`, { buildingId: BUILDING, roomId });
		const value = 11 + Math.floor(Math.random() * 30);
		await this.#make('device', 'POST', '/ingest', { sensorId: 'camera', metric: 'peopleCount', value });
		const crossing = { sensorId: 'door', metric: 'peopleIn', value: 1, buildingId: BUILDING, roomId: 'attic' };
		await this.#make('device', 'POST', '/ingest', crossing);
		await this.#make('device', 'POST', '/ingest', { sensorId: `stranger-${Date.now()}`, metric: 'co2', value: 800 });
		const outsider = `/auth/domains/museum/members/${this.#people.get('outsider')!.id}`;
		await this.#make('admin', 'DELETE', outsider);
		await this.#make('admin', 'PUT', outsider, { role: 'standard_customer' });
		const { email } = this.#people.get('admin')!;
		await this.#make('none', 'POST', '/auth/login', { email, password: PASSWORD });
		await this.#make('admin', 'POST', '/llm/ask', { question: 'How many people are in the hall?' });
		await this.#look();
	}

	async #look(): Promise<void> {
		const get = async (role: Role, path: string) => JSON.parse((await this.#as(role, 'GET', path)).text) as never;
		const alerts = await this.#standingAlerts();
		const strangers = (await get('admin', '/gateway/devices')) as { quarantined?: { sensorId: string }[] };
		const invitations = (await get('outsider', '/auth/invitations')) as { invitations?: { id: string }[] };
		const sessions = (await get('admin', '/auth/sessions')) as { sessions?: { id: string }[] };
		const talks = (await get('admin', '/llm/conversations')) as { conversations?: { id: string }[] };
		const { domains = [] } = (await get('admin', '/auth/domains')) as { domains?: { name: string }[] };
		const [empty, inside] = [`empty-${this.#empty}`, `empty-${this.#empty}/`];
		if (domains.every(({ name }) => name !== empty) || domains.some(({ name }) => name.startsWith(inside)))
			this.#empty++;
		const sensors = ['camera', 'door', 'new-sensor', ...(strangers.quarantined ?? []).map(({ sensorId }) => sensorId)];
		const reading = { sensorId: 'camera', metric: 'temperature', value: 21.5 };
		const devices = [...this.#devices.values()].map(({ id }) => id);
		this.#known = {
			'auth/domains/name': ['museum', 'museum', 'museum', 'museum/annex', `empty-${this.#empty}`, 'elsewhere'],
			'auth/sessions/id': (sessions.sessions ?? []).map(({ id }) => id),
			'llm/conversations/id': (talks.conversations ?? []).map(({ id }) => id),
			'post-auth-password-reset': [{ token: await this.#resetToken(), newPassword: PASSWORD }],
			'auth/invitations/id': (invitations.invitations ?? []).map(({ id }) => id),
			'notification/alerts/id': alerts.slice(0, 5).map(({ id }) => id),
			'twin/buildings/id': [BUILDING],
			'ingest/webhook/name': ['webhook'],
			'ingest/{name}/name': ['webhook', 'nowhere'],
			'post-auth-register': [{ email: `${randomUUID()}@example.org`, password: PASSWORD, name: 'Ada' }],
			'delete-auth-me': [{ password: PASSWORD }],
			'post-auth-domains': [{ name: `new-${randomUUID()}` }],
			'post-auth-domains-name-devices': [{ name: 'door', buildingId: BUILDING }],
			'put-twin-buildings-id-thresholds': [{ building: { co2: { max: 700 } }, rooms: {} }],
			'post-ingest': [reading, [reading, { ...reading, metric: 'co2', value: 800, observedAt: Date.now() }]],
			accountId: [...this.#people.values()].map(({ id }) => id),
			deviceId: devices,
			sender: devices,
			...plausibleValues(),
			id: [BUILDING, 'b2', ...ROOMS],
			buildingId: [BUILDING],
			roomId: ROOMS,
			room: ROOMS,
			sensorId: sensors,
			sensor: sensors,
			by: sensors,
			email: [...this.#people.values()].map(({ email }) => email),
			password: [PASSWORD, 'wrong password'],
			newPassword: [PASSWORD],
		};
	}

	/** The alert of the crowded hall comes soon, unless some request has made that it does not. */
	async #standingAlerts(): Promise<{ id: string }[]> {
		const probe = async () => {
			const { text } = await this.#as('admin', 'GET', '/notification/alerts');
			const { alerts = [] } = JSON.parse(text) as { alerts?: { id: string; state: string }[] };
			return alerts.some(({ state }) => state !== 'resolved') ? alerts : undefined;
		};
		return waitFor('the alert of the crowded hall', probe, ALERT_PATIENCE_MS).catch(() => []);
	}

	/** A token that sets a password. Few are given out an hour, so that one stands until it was perhaps used. */
	async #resetToken(): Promise<string> {
		if (this.#looks++ % LOOKS_PER_RESET !== 0) return this.#reset;
		const viewer = this.#people.get('viewer')!.id;
		const { text } = await this.#as('admin', 'POST', `/auth/domains/museum/members/${viewer}/password-reset`);
		this.#reset = /#reset=([^"&]+)/.exec(text)?.[1] ?? this.#reset;
		return this.#reset;
	}

	/** A new account where the role has none, or where it was deleted or has another password. */
	async #register(role: string): Promise<void> {
		const before = this.#people.get(role);
		if (before && (await this.#as(role as Role, 'GET', '/auth/me')).status === 200) return;
		const email = `${role}-${randomUUID()}@example.org`;
		const { text } = await this.#as('none', 'POST', '/auth/register', { email, password: PASSWORD, name: role });
		const { account } = JSON.parse(text) as { account: { id: string } };
		this.#people.set(role, { id: account.id, email, memberships: membersOf[role]! });
	}

	/** Makes the role a member of its domain again, where it was removed or got another role. */
	async #join(role: string): Promise<void> {
		const { id: accountId } = this.#people.get(role)!;
		const [{ domainName, role: own }] = membersOf[role] as [Membership];
		const path = `/auth/domains/${domainName}/members/${accountId}`;
		const { status, text } = await this.#as('platform', 'PUT', path, { role: own });
		if (status === 200) return;
		if (status !== 202) throw new Error(`${role} cannot be made a member again: ${status} ${text}`);
		const { text: list } = await this.#as(role as Role, 'GET', '/auth/invitations');
		const { invitations = [] } = JSON.parse(list) as { invitations?: { id: string }[] };
		for (const { id } of invitations) await this.#make(role as Role, 'POST', `/auth/invitations/${id}/accept`);
	}

	async #device(role: string, scope: object): Promise<void> {
		const before = this.#devices.get(role);
		if (before) {
			const { status } = await this.#as(role as Role, 'POST', '/ingest', {
				sensorId: 'camera',
				metric: 'co2',
				value: 700,
			});
			if (status !== 401) return;
		}
		const { text } = await this.#as('admin', 'POST', '/auth/domains/museum/devices', { name: role, ...scope });
		const { deviceId, token } = JSON.parse(text) as { deviceId?: string; token?: string };
		if (deviceId === undefined || token === undefined) throw new Error(`there is no ${role} any more: ${text}`);
		this.#devices.set(role, { id: deviceId, token });
	}

	#as(role: Role, method: string, path: string, body?: object): Promise<Answer> {
		const json = body === undefined ? {} : { body: JSON.stringify(body) };
		return this.send(method, { role, path, headers: body ? { 'content-type': 'application/json' } : {}, ...json });
	}

	/** As `#as`; refusals are fine, failures are not. */
	async #make(role: Role, method: string, path: string, body?: object): Promise<void> {
		const { status, text } = await this.#as(role, method, path, body);
		if (status >= 500) throw new Error(`${method} ${path} answered ${status}: ${text}`);
	}

	async signedIn(role: Role): Promise<Record<string, string>> {
		if (role === 'none') return {};
		if (role === 'nonsense') return { authorization: 'Bearer a.b.c' };
		if (role === 'device-basic') {
			const device = this.#devices.get('device');
			return { authorization: `Basic ${Buffer.from(`${device?.id}:${device?.token}`).toString('base64')}` };
		}
		const device = this.#devices.get(role);
		if (device) return { authorization: `Bearer ${device.token}` };
		const person = this.#people.get(role);
		if (!person) return {};
		// Later than anything that was revoked: this is not about sessions.
		const issuedAfter = Math.floor(Date.now() / 1000) + 30;
		const token = await this.#tokens.signAccount({ ...person, name: role }, issuedAfter);
		return { authorization: `Bearer ${token}` };
	}
}

const addressOf = () => Array.from({ length: 4 }, () => 1 + Math.floor(Math.random() * 250)).join('.');
