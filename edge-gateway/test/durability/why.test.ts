import { RedisBus } from '@crowdvision/bus';
import { TABLES, type Verdict } from '@crowdvision/contracts';
import { createLogger } from '@crowdvision/service-kit';
import { startMosquitto } from '@crowdvision/testing/mosquitto';
import { startNode } from '@crowdvision/testing/processes';
import { startRedis } from '@crowdvision/testing/redis-server';
import { waitFor } from '@crowdvision/testing/wait';
import { describe, expect, it, onTestFinished } from 'vitest';
import { why } from '../../src/control/why-command.ts';
import { mqttClient } from '../../src/testing/mqtt-clients.ts';
import { serialLine } from '../../src/testing/serial-line.ts';
import { type WatchedGateway, watchedGateway } from '../../src/testing/watched-gateway.ts';

const TIMEOUT = 120_000;
const reading = (sensorId: string, change: object = {}) => ({
	sensorId,
	metric: 'co2',
	value: 500,
	buildingId: 'b1',
	roomId: 'hall',
	...change,
});
const queryOf = (about: string): Record<string, string> =>
	/^[0-9a-f]{12}-\d+$/.test(about) ? { id: about } : about.includes('/') ? { topic: about } : { sensor: about };

/** Both ways of asking must give this verdict for the newest message, with a text that matches. */
async function named(gateway: WatchedGateway, about: string, verdict: Verdict, says: RegExp): Promise<void> {
	await waitFor(`${about} to be ${verdict}`, async () => (await gateway.why(about)).verdict === verdict).catch(
		async (error: Error) => {
			throw new Error(`${error.message}; the answer is ${JSON.stringify(await gateway.why(about))}`, { cause: error });
		},
	);
	const [asked, traced] = [await gateway.why(about), await gateway.trace(queryOf(about))];
	expect(asked.running).toBe(true);
	for (const answer of [asked, traced]) {
		expect(answer.verdict).toBe(verdict);
		expect(answer.text).toMatch(says);
		expect(answer.hint).not.toBe('');
	}
}

/** A gateway whose Redis was killed after its start. */
async function withoutRedis(config: object): Promise<WatchedGateway> {
	const redis = await startRedis();
	onTestFinished(() => redis.stop());
	const gateway = await watchedGateway(config, { REDIS_URL: redis.url });
	await redis.kill();
	return gateway;
}

describe('P5 `why` and /gateway/trace', () => {
	it(
		'explain each message that was lost, unreadable, forbidden, redelivered or late, and what a message waits for',
		async () => {
			const redis = await startRedis();
			onTestFinished(() => redis.stop());
			const remote = await startMosquitto();
			onTestFinished(() => remote.stop());
			const line = await serialLine();
			const gateway = await watchedGateway(
				{
					gatewayId: 'watched',
					sources: { serial: [{ path: line.path, defaults: { buildingId: 'b1', roomId: 'hall' } }] },
					decoders: [
						{
							topic: 'plugs/+',
							use: 'jsonata',
							mapping: 'people ? {"sensorId": "plug", "metric": "peopleCount", "value": people}',
						},
					],
					bridges: [
						{
							name: 'campus',
							url: remote.url,
							topics: [{ pattern: 'telemetry/#', direction: 'out', qos: 1, content: 'readings' }],
						},
					],
				},
				{ REDIS_URL: redis.url },
			);
			const bus = new RedisBus({ url: redis.url, logger: createLogger('test', 'silent') });
			onTestFinished(() => bus.close());
			const sign = (id: string, scope: object = { buildingId: 'b1' }) =>
				gateway.tokens.signDevice({ id, domainName: 'acme', ...scope });
			const token = await sign('dev');
			const client = await mqttClient(gateway.mqttUrl, 'dev', token);
			const publish = (topic: string, payload: unknown) =>
				client.publishAsync(topic, typeof payload === 'string' ? payload : JSON.stringify(payload), { qos: 1 });

			// 1: never sent.
			await named(gateway, 'nobody', 'not_received', /No message of nobody/);
			// 2: not JSON.
			await publish('telemetry/b1/hall/s2', '{"metric":"co2","value":4');
			await named(gateway, 's2', 'not_decoded', /not valid JSON/);
			// 3: a damaged frame on a serial line, shown in hex.
			await line.sendBytes(Buffer.from([0xfe, 0x7b, 0x00, 0x81, 0x0a]));
			await named(gateway, line.path, 'bad_frame', /hex fe7b0081/);
			// 4: an unknown topic.
			await publish('acme/cam/uplink', { n: 3 });
			await named(gateway, 'acme/cam/uplink', 'unknown_topic', /topic/i);
			// 5: a message in which the decoder finds no reading.
			await publish('plugs/kettle', { power: 2000 });
			await named(gateway, 'plugs/kettle', 'no_reading', /mapping returns nothing/);
			// 6: a sensor whose place is not known.
			expect((await gateway.post(token, { sensorId: 's6', metric: 'co2', value: 400 })).status).toBe(422);
			await named(gateway, 's6', 'unknown_device', /not registered/);
			// 7: another building.
			await publish('telemetry/b2/hall/s7', { metric: 'co2', value: 400 });
			await named(gateway, 's7', 'not_allowed', /"b2" is outside the scope of dev/);
			// 8: another sensor.
			expect((await gateway.post(await sign('only-a', { sensorIds: ['a'] }), reading('s8'))).status).toBe(403);
			await named(gateway, 's8', 'not_allowed', /"s8" is outside the scope of only-a/);
			// 9: a token that was revoked.
			await bus.retain(TABLES.revokedDevices, 'dev-9', JSON.stringify({ before: Math.ceil(Date.now() / 1000) + 60 }));
			const revoked = await sign('dev-9');
			await waitFor('the revocation', async () => (await gateway.post(revoked, reading('s9'))).status === 401);
			await named(gateway, 'dev-9', 'not_allowed', /the token of dev-9 was revoked/);
			// 10: a duplicate.
			for (let i = 0; i < 2; i++)
				expect((await gateway.post(token, reading('s10', { seq: 7, boot: 'x' }))).status).toBe(202);
			await named(gateway, 's10', 'duplicate', /seq 7 of boot x was received before/);
			// 11: an impossible value.
			await publish('telemetry/b1/hall/s11', { metric: 'co2', value: -1 });
			await named(gateway, 's11', 'invalid_reading', /\/value must be from 0 to 40000 ppm/);
			// 12: observed long before it was received.
			await publish('telemetry/b1/hall/s12', { metric: 'co2', value: 400, observedAt: Date.now() - 3600_000 });
			await named(gateway, 's12', 'late', /observed 60 minutes before it was received/);
			// A message that is delivered, followed stage by stage.
			expect((await gateway.trace({ sensor: 's0' })).followedUntil).toBeGreaterThan(Date.now());
			await publish('telemetry/b1/hall/s0', { metric: 'co2', value: 444 });
			await named(gateway, 's0', 'delivered', /delivered to Redis \S+, bridge campus/);
			const { messages } = await gateway.trace({ sensor: 's0' });
			expect(messages[0]!.stages.map(({ stage, outcome }) => `${stage} ${outcome}`)).toEqual([
				'received ok',
				'decoded ok',
				'normalized ok',
				'judged ok',
				'stored ok',
				'relayed ok',
				'bridged ok',
			]);
			await named(gateway, messages[0]!.id!, 'delivered', /co2 444 ppm/);
			// 13: a bridge is down.
			await remote.kill('SIGKILL');
			await publish('telemetry/b1/hall/s13', { metric: 'co2', value: 400 });
			await named(gateway, 's13', 'bridge_down', /bridge campus has not been connected since \d{4}-\S+ \(.+\)/);
			// 14: Redis is away.
			await redis.kill('SIGKILL');
			await publish('telemetry/b1/hall/s14', { metric: 'co2', value: 400 });
			await named(gateway, 's14', 'redis_away', /Redis has not been connected since \d{4}-\S+ \(.+\)/);
			expect(await gateway.imbalances()).toEqual([]);

			// The command as a person calls it, also when the gateway does not run.
			const ask = async (about: string) => {
				const run = await startNode('edge-gateway/src/main.ts', {
					args: ['why', about],
					env: { DATA_DIR: gateway.dataDir },
				});
				expect(await run.exited).toMatchObject({ code: 0 });
				return run.stdout();
			};
			expect(await ask('s11')).toMatch(
				/^s11: invalid reading\n[\s\S]*What to do: Correct what the reason names\.[\s\S]*normalized refused/,
			);
			await gateway.stop();
			const offline = await ask('s14');
			expect(offline).toMatch(/^The gateway does not run here/);
			expect(offline).toMatch(/s14: on its way\n[\s\S]*relay, bridge:campus did not have it/);
			expect(await ask('s7')).toMatch(/s7: not allowed/);
			expect(await ask('nobody')).toMatch(/nobody: not received/);
		},
		TIMEOUT,
	);

	it.each([
		['drop-newest', /dropped on arrival/],
		['drop-oldest', /policy is drop-oldest/],
		['refuse', /told to send it again: .*log holds/],
	] as const)(
		'name overflow for a reading that the policy %s gave up before Redis had it',
		async (whenFull, says) => {
			const gateway = await withoutRedis({
				log: { maxBytes: '256KiB', whenFull },
				recorder: { frames: 5000, maxBytes: '4MiB' },
			});
			const token = await gateway.tokens.signDevice({ id: 'dev', domainName: 'acme', buildingId: 'b1' });
			await gateway.post(token, reading('first'));
			const batch = Array.from({ length: 200 }, (_, i) => reading(`filler-${i}`));
			let status = 202;
			for (let sent = 0; sent < 15 && status === 202; sent++) status = (await gateway.post(token, batch)).status;
			const last = await gateway.post(token, [...batch.slice(1), reading('last')]);
			expect(last.status).toBe(whenFull === 'refuse' ? 503 : 202);
			await named(gateway, whenFull === 'drop-oldest' ? 'first' : 'last', 'overflow', says);
			expect(await gateway.imbalances()).toEqual([]);
		},
		TIMEOUT,
	);

	it(
		'P14 tell of the messages of one domain, where several have a sensor of one id, also while the gateway is down',
		async () => {
			const gateway = await watchedGateway({});
			const sign = (domainName: string, buildingId: string) =>
				gateway.tokens.signDevice({ id: `cam-of-${domainName}`, domainName, buildingId });
			const [acme, globex] = [await sign('acme', 'b1'), await sign('globex/west', 'b2')];
			const send = (token: string, value: number | string, buildingId: string) =>
				gateway.post(token, reading('cam', { buildingId, value }));
			expect((await send(acme, 501, 'b1')).status).toBe(202);
			expect((await send(globex, 'much', 'b2')).status).toBe(422);
			// More than are told: the one of acme is not among the newest.
			for (let n = 0; n < 25; n++) expect((await send(globex, 600 + n, 'b2')).status).toBe(202);
			const told = async (...options: string[]) =>
				[...new Set((await gateway.why('cam', ...options)).messages.flatMap(({ domains }) => domains))].sort();
			const check = async () => {
				expect(await told()).toEqual(['globex/west']);
				const own = await gateway.why('cam', '--domain', 'acme');
				expect(own.text).toMatch(/^co2 501 ppm/);
				expect(own.messages).toHaveLength(1);
				expect(await told('--domain', 'globex')).toEqual(['globex/west']);
				expect((await gateway.why('cam', '--domain=initech')).verdict).toBe('not_received');
			};
			await check();
			expect((await send(acme, 502, 'b1')).status).toBe(202);
			expect(await why(gateway.dataDir, ['cam'])).toContain('Several domains have it: acme, globex.');
			expect(await why(gateway.dataDir, ['cam', '--domain', 'acme'])).not.toContain('globex');
			for (const wrong of [['cam', '--domain'], ['cam', '--domain', ''], ['cam', '--all'], []])
				await expect(why(gateway.dataDir, wrong)).rejects.toThrow('usage: npm run gateway -- why');
			await gateway.stop();
			expect((await gateway.why('cam', '--domain', 'acme')).messages).toHaveLength(2);
			expect((await gateway.why('cam', '--domain', 'initech')).verdict).toBe('not_received');
			expect((await gateway.why('cam', '--domain', 'globex')).text).toMatch(/^co2 624 ppm/);
		},
		TIMEOUT,
	);

	it(
		'name overflow for a reading that expired before Redis had it, and rate_limited for a sender that is too fast',
		async () => {
			const gateway = await withoutRedis({ log: { maxAge: '1s' }, limits: { messagesPerSecond: 2 } });
			const sign = (id: string) => gateway.tokens.signDevice({ id, domainName: 'acme', buildingId: 'b1' });
			const [quiet, hasty] = [await sign('quiet'), await sign('hasty')];
			expect((await gateway.post(quiet, reading('old'))).status).toBe(202);
			await waitFor('too many', async () => (await gateway.post(hasty, reading('s17'))).status === 429);
			await named(gateway, 'hasty', 'rate_limited', /More than 2 messages a second from hasty/);
			await waitFor('expiry', async () => {
				await gateway.post(quiet, reading('new'));
				return (await gateway.why('old')).verdict === 'overflow';
			});
			await named(gateway, 'old', 'overflow', /expired before every consumer had it/);
			expect(await gateway.imbalances()).toEqual([]);
		},
		TIMEOUT,
	);
});
