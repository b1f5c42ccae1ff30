import { TABLES } from '@crowdvision/contracts';
import { seeded } from '@crowdvision/testing/seeded';
import { waitFor } from '@crowdvision/testing/wait';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type GatewayWorld, openGatewayWorld } from '../../src/testing/gateway-world.ts';
import { postedRequest, RawClient } from '../../src/testing/posted-requests.ts';
import { SetClock } from '../../src/testing/set-clock.ts';

/** How many requests are made and compared; by hand, thousands. */
const REQUESTS = Number(process.env.HTTP_REQUESTS ?? 600);
const SEED = Number(process.env.HTTP_SEED ?? 1);
const NOW = Date.UTC(2026, 10, 30, 12);

const SETTINGS = {
	messagesPerSecond: 1e6,
	messagesPerSecondPerAddress: 1e6,
	decoders: [
		{ path: 'counter', use: 'jsonata' as const, mapping: '{"sensorId": device, "metric": "peopleIn", "value": `in`}' },
		{
			contentType: 'application/x-acme',
			use: 'jsonata' as const,
			mapping: '{"sensorId": "a", "metric": "co2", "value": 1}',
		},
		{ contentType: 'application/senml+json', use: 'senml' as const },
	],
};
const portOf = (world: GatewayWorld) => Number(new URL(world.url).port);

async function open(options: Parameters<typeof openGatewayWorld>[0] = {}): Promise<GatewayWorld> {
	const world = await openGatewayWorld({ settings: SETTINGS, time: new SetClock(NOW), ...options });
	onTestFinished(() => world.stop());
	return world;
}

/** Pieces of a request: most come whole, some are cut anywhere. */
function cut(random: () => number, bytes: Buffer): Buffer[] {
	if (random() < 0.6) return [bytes];
	const at = Array.from({ length: 1 + Math.floor(random() * 3) }, () => Math.floor(random() * bytes.length));
	const ends = [0, ...at.sort((a, b) => a - b), bytes.length];
	return ends.slice(1).map((end, i) => bytes.subarray(ends[i], end));
}

/** What a gateway has made of all requests. */
async function outcome(world: GatewayWorld) {
	const metrics = (await world.call('GET', '/metrics')).text
		.split('\n')
		.filter((line) => /^gateway_(readings_|ledger_|rate_limited|device_restarts|decoder)/.test(line));
	const token = await world.account({ domainName: '*', role: 'admin' });
	return {
		readings: (await world.stored()).map(({ id, ...reading }) => ({ ...reading, offset: id.split('-').at(-1) })),
		rejected: (await world.rejected()).map(({ id: _, ...rest }) => rest),
		devices: (await world.call('GET', '/devices', { token })).body.devices,
		metrics,
	};
}

describe('a request to /ingest', () => {
	it('gets the same answer, and becomes the same records, whether express reads it or not', async () => {
		const [plain, express] = [await open(), await open({ expressOnly: true })];
		const good = await plain.token('poster');
		const tokens = {
			good,
			only: await plain.token('poster', { sensorIds: ['only'], buildingId: 'b1' }),
			forged: `${good.slice(0, -8)}${good.slice(-8).split('').reverse().join('')}`,
			foreign: await plain.token('poster', { buildingId: 'foreign' }),
		};
		const random = seeded(SEED);
		const [one, other] = [new RawClient(portOf(plain)), new RawClient(portOf(express))];
		onTestFinished(() => one.close());
		onTestFinished(() => other.close());
		for (let nth = 0; nth < REQUESTS; nth++) {
			const request = postedRequest(random, nth, tokens);
			const pieces = cut(random, request);
			const answers = [await one.send(pieces), await other.send(pieces)];
			const shown = `HTTP_SEED=${SEED}, request ${nth}: ${request.toString('latin1').slice(0, 1000)}`;
			expect(answers[0], shown).toEqual(answers[1]);
		}
		expect(await outcome(plain)).toEqual(await outcome(express));
		expect((await plain.stored()).length).toBeGreaterThan(REQUESTS / 10);
	});
});

describe('the credentials of a connection', () => {
	const body = JSON.stringify({ sensorId: 's', metric: 'co2', value: 400, roomId: 'hall' });
	/** Posts over one connection after another with these credentials; returns the status. */
	const poster = (world: GatewayWorld) => {
		const client = new RawClient(portOf(world));
		onTestFinished(() => client.close());
		return async (token: string) => {
			const lines = ['POST /ingest HTTP/1.1', 'Host: x', `Authorization: Bearer ${token}`];
			const head = [...lines, `Content-Length: ${body.length}`, '', ''].join('\r\n');
			const { head: answer } = await client.send([Buffer.from(`${head}${body}`)]);
			return Number(answer[0]!.split(' ')[1]);
		};
	};

	it('count no longer once they are revoked, and count again once that is withdrawn', async () => {
		const world = await open();
		const post = poster(world);
		const token = await world.token('poster');
		expect([await post(token), await post(token)]).toEqual([202, 202]);
		await world.bus.retain(TABLES.revokedDevices, 'poster', JSON.stringify({ before: NOW / 1000 }));
		await waitFor('the revocation', async () => (await post(token)) === 401);
		await world.bus.retain(TABLES.revokedDevices, 'poster', null);
		await waitFor('its end', async () => (await post(token)) === 202);
	});

	it('give a sensor and a building their rights anew with each request', async () => {
		const world = await open();
		const post = poster(world);
		const token = await world.token('poster', {});
		expect(await post(token)).toBe(422);
		await world.bus.retain(TABLES.sensors, 's', JSON.stringify({ sensorId: 's', buildingId: 'b1', roomId: 'hall' }));
		await waitFor('the sensor', async () => (await post(token)) === 202);
		await world.bus.retain(
			TABLES.buildings,
			'b1',
			JSON.stringify({ id: 'b1', name: 'b1', domains: ['other'], rooms: [] }),
		);
		await waitFor('the new owner', async () => (await post(token)) >= 400);
	});

	it('do not let others pass that are as long', async () => {
		const world = await open();
		const post = poster(world);
		const [token, other] = [await world.token('poster'), await world.token('neighb')];
		expect(await post(token)).toBe(202);
		expect(await post(`${token.slice(0, -1)}${token.endsWith('A') ? 'B' : 'A'}x`.slice(0, token.length))).toBe(401);
		expect([await post(other), await post(token)]).toEqual([202, 202]);
		expect(other).toHaveLength(token.length);
	});
});
