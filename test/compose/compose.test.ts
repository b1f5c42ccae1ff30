import { launchChromium } from '@crowdvision/testing/chromium';
import { waitFor } from '@crowdvision/testing/wait';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { furnish } from '../e2e/furnish.ts';
import { describeEndToEnd } from '../e2e/scenario.ts';
import { openWorld, request } from '../e2e/world.ts';
import { BUILDING, type Load, startLoad } from '../faults/load.ts';
import { type Follower, follow } from '../topology/follower.ts';
import { type Composed, startComposed } from './composed.ts';
import { expected, stored } from './history.ts';
import { pasteReadme } from './readme.ts';

const DATABASES = ['auth-db', 'twin-db', 'notification-db', 'llm-db'];
/** Two browsers on each replica, or thereabouts. */
const DASHBOARDS = 4;
/** Fifteen sensors: 40 readings a second. */
const INTERVAL_MS = 375;

let composed: Composed;
beforeAll(async () => {
	composed = await startComposed();
}, 30 * 60_000);
afterAll(() => composed?.stop());

describe('a fresh machine', () => {
	it('gets by the README from the first page to the first reading on the dashboard', async () => {
		const { http, dir } = composed;
		const [email, password, domain] = ['ada@example.org', 'correct horse battery', 'museum'];
		const chromium = await launchChromium({ trusting: http });
		try {
			const page = await chromium.context.newPage();
			await page.goto(http);
			const first = page.getByTestId('first-run');
			await first.getByLabel('Your name').fill('Ada');
			await first.getByLabel(/e-?mail/i).fill(email);
			await first.getByLabel(/password/i).fill(password);
			await first.getByRole('button').click();
			await page.getByTestId('create-domain').getByLabel('Domain').fill(domain);
			await page.getByTestId('create-domain').getByRole('button').click();
			await page.getByRole('button', { name: 'Fill in an example' }).click();
			await page.getByRole('button', { name: 'Add the building' }).click();
			await page.getByTestId('first-reading').waitFor();
			expect(await pasteReadme({ http, dir, email, password, domain })).toBe('{"accepted":1}');
			const people = page.locator('[data-room="hall"] [data-testid="people"]');
			await expect.poll(() => people.textContent(), { timeout: 30_000 }).toBe('4');
		} finally {
			await chromium.close();
		}
	}, 120_000);
});

describeEndToEnd('docker-compose.yml', async () => {
	const { http, mqtt, caFile, dir } = composed;
	const furnished = await furnish({ http, mqtt, dir });
	return openWorld({ ...furnished, http, mqtt, caFile, probes: [] });
});

describe('a container', () => {
	it('reaches the database of its service and no other, neither by name nor by address', async () => {
		const addresses = await Promise.all(
			DATABASES.map((name) =>
				composed.container(name).inspect('{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}'),
			),
		);
		const reach = `
			const net = require('node:net');
			const tries = process.argv.slice(1).map((host) => new Promise((resolve) => {
				const socket = net.connect({ host, port: 27017, timeout: 2000 }, () => resolve(host));
				for (const event of ['error', 'timeout']) socket.on(event, () => resolve());
			}));
			Promise.all(tries).then((found) => { console.log(found.filter(Boolean).join(' ')); process.exit(); });`;
		const own: Record<string, string> = {
			auth: 'auth-db',
			twin: 'twin-db',
			'notification-1': 'notification-db',
			'notification-2': 'notification-db',
			llm: 'llm-db',
		};
		const everybody = [...Object.keys(own), 'gateway', 'socket-1', 'socket-2'];
		const reached = await Promise.all(
			everybody.map((name) => composed.container(name).run('node', '-e', reach, ...DATABASES, ...addresses)),
		);
		const wanted = everybody.map((name) =>
			own[name] ? `${own[name]} ${addresses[DATABASES.indexOf(own[name])]}\n` : '\n',
		);
		expect(Object.fromEntries(everybody.map((name, i) => [name, reached[i]]))).toEqual(
			Object.fromEntries(everybody.map((name, i) => [name, wanted[i]])),
		);
	});

	it('has no rights, cannot gain any, and writes nowhere but to its volumes and memory', async () => {
		for (const { name, run, inspect } of composed.containers) {
			const status = await run('cat', '/proc/1/status');
			const field = (key: string) => new RegExp(`^${key}:\\s+(\\S+)`, 'm').exec(status)?.[1];
			expect.soft(Number(field('Uid')), name).toBeGreaterThan(0);
			expect.soft(Number(field('CapEff')), name).toBe(0);
			expect.soft(field('NoNewPrivs'), name).toBe('1');
			expect.soft(await inspect('{{.HostConfig.ReadonlyRootfs}}'), name).toBe('true');
			expect.soft(Number(await inspect('{{.HostConfig.Memory}}')), name).toBeGreaterThan(0);
		}
	});

	it('is shown to whoever may inspect it without a secret', async () => {
		const url = new URL((await composed.container('auth').run('cat', '/secrets/redis-url')).trim());
		const secrets = [url.password, (await composed.container('auth').run('cat', '/secrets/jwt-secret')).trim()];
		for (const { name, inspect } of composed.containers) {
			const shown = await inspect('{{json .}}');
			for (const secret of secrets) expect(shown.includes(secret), name).toBe(false);
		}
	});

	it('comes back by itself when its process ends', async () => {
		const twin = composed.container('twin');
		await twin.run('node', '-e', "process.kill(1, 'SIGTERM')");
		await waitFor('a restart', async () => (await twin.inspect('{{.RestartCount}}')) !== '0', 30_000);
		await twin.healthy();
	});
});

describe('each container is killed -9 under load', () => {
	let load: Load;
	let token: string;
	const dashboards: Follower[] = [];
	afterAll(async () => {
		for (const dashboard of dashboards) dashboard.close();
		await load?.stop();
	});

	it(
		'loses nothing that was acknowledged, stores nothing twice, and every dashboard catches up',
		async () => {
			const { http, mqtt, tokens } = composed;
			token = await tokens.signAccount({
				id: 'operator',
				name: 'Ada',
				memberships: [{ domainName: 'works', role: 'business_admin' }],
			});
			const ask = <T>(method: string, path: string, body?: unknown) => request<T>(http, method, path, { token, body });
			const rooms = BUILDING.rooms.map((room, x) => ({
				...room,
				position: { x: 10 * x, y: 0, z: 0 },
				dimensions: { width: 5, height: 3, depth: 5 },
			}));
			await ask('POST', '/twin/buildings', { id: BUILDING.id, domains: ['works'], rooms });
			for (let i = 0; i < DASHBOARDS; i++) dashboards.push(follow(http, token, BUILDING.id));
			await waitFor('the dashboards', () => dashboards.every(({ connections }) => connections > 0));
			load = await startLoad({
				seed: 6,
				gateway: {
					tokens,
					links: { http: { url: http }, socketio: { url: http }, mqtt: { url: mqtt } },
					said: () => '',
				},
				intervalMs: INTERVAL_MS,
			});

			for (const container of composed.containers) {
				await load.flowing(load.counts());
				await container.kill();
				await container.start();
				await container.healthy();
			}
			await load.flowing(load.counts(), 60_000);
			await Promise.all(composed.containers.map(({ healthy }) => healthy()));
			await load.drain();

			const { size } = load.acknowledged;
			const wanted = expected(load.acknowledged);
			const found = () => stored(ask, BUILDING.id, wanted);
			await waitFor('twin to have everything', async () => (await found()).total >= size, 60_000).catch(() => {});
			expect(await found()).toEqual({ total: size, wrong: [] });
			for (const dashboard of dashboards) {
				await waitFor('a dashboard to have everything', () => dashboard.ids.length >= size, 30_000).catch(() => {});
				expect(dashboard.ids.length).toBe(size);
				expect(new Set(dashboard.ids).size).toBe(size);
				expect(dashboard.superseded).toEqual([]);
				expect(dashboard.connections).toBeGreaterThan(1);
			}
			process.stdout.write(`${composed.containers.length} containers killed, ${size} readings acknowledged\n`);
		},
		15 * 60_000,
	);
});
