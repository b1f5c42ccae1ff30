/** Measures how fast readings reach dashboards. */
import { type RetainedBuilding, TABLES } from '@crowdvision/contracts';
import { Tokens } from '@crowdvision/service-kit';
import { startRedis } from '@crowdvision/testing/redis-server';
import { waitFor } from '@crowdvision/testing/wait';
import { Redis } from 'ioredis';
import { startFeeder } from '../test/faults/feeder.ts';
import { FAULT_SECRET, prepareGateway } from '../test/faults/gateway-process.ts';
import { connectDashboard, type Dashboard, startSocketProcess } from '../test/support/live-dashboards.ts';
import { cpuSeconds } from './machine.ts';

const PER_SECOND = 200;
const BOUND_MS = 250;
/** The service limits the dashboards of an account, and of an address, which the proxy in front of it names. */
const PER_ACCOUNT = 100;
const BUILDING: RetainedBuilding = {
	id: 'works',
	name: 'Works',
	domains: ['works'],
	rooms: [{ id: 'hall', name: 'Hall', capacity: 100 }],
};

/**
 * Measures the time from the gateway's receipt of a reading to each of `count` dashboards, at 200 readings/s. Gateway,
 * Redis and socket service are processes; the dashboards are Socket.IO clients in this process, so their work adds to
 * the time.
 */
export async function dashboards(seconds: number, count: number): Promise<string> {
	const ends: (() => unknown)[] = [];
	try {
		const redis = await startRedis();
		ends.push(() => redis.stop());
		const gateway = await prepareGateway({ env: { REDIS_URL: redis.url } });
		ends.push(() => gateway.close());
		await gateway.start();
		const client = new Redis(redis.url);
		await client.hset(TABLES.buildings, BUILDING.id, JSON.stringify(BUILDING));
		client.disconnect();
		const socket = await startSocketProcess({ redisUrl: redis.url, secret: FAULT_SECRET });
		ends.push(() => socket.close());

		const tokens = new Tokens(FAULT_SECRET);
		const delays: number[] = [];
		let measuring = false;
		const all: Dashboard[] = [];
		for (let n = 0; n < count; n++) {
			const group = Math.floor(n / PER_ACCOUNT);
			const token = await tokens.signAccount({
				id: `ada-${group}`,
				name: 'Ada',
				memberships: [{ domainName: 'works', role: 'standard_customer' }],
			});
			const extraHeaders = { 'x-forwarded-for': `203.0.113.${group}` };
			const dashboard = await connectDashboard(socket.url, token, { extraHeaders });
			ends.push(() => dashboard.close());
			dashboard.socket.on('telemetry', (readings) => {
				const now = Date.now();
				if (measuring) for (const { receivedAt } of readings) delays.push(now - receivedAt);
			});
			await dashboard.subscribe(BUILDING.id);
			all.push(dashboard);
		}
		const feeder = await startFeeder(gateway, BUILDING.id, PER_SECOND);
		ends.push(() => feeder.stop());
		await waitFor('live views', () => all.every(({ readings }) => readings.length > PER_SECOND));
		measuring = true;
		const cpu = cpuSeconds(socket.pid());
		const before = feeder.told;
		await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
		measuring = false;
		const cpuPerDelivery = ((cpuSeconds(socket.pid()) - cpu) * 1e6) / ((feeder.told - before) * count);
		await feeder.stop();
		await waitFor('everything', () => all.every((dashboard) => dashboard.readings.length === feeder.told));
		delays.sort((a, b) => a - b);
		const quantile = (share: number) => delays[Math.min(delays.length - 1, Math.floor(delays.length * share))]!;
		const p99 = quantile(0.99);
		return [
			`Accepted reading to the browser's socket, ${PER_SECOND} readings/s, ${count} dashboards, ${seconds} s: `,
			`p50 ${quantile(0.5)} ms, p99 ${p99} ms, most ${delays.at(-1)} ms `,
			`(bound: p99 ${BOUND_MS} ms, ${p99 <= BOUND_MS ? 'kept' : 'BROKEN'}); `,
			`${delays.length} deliveries, none missing, ${cpuPerDelivery.toFixed(1)} µs of the service's CPU each`,
		].join('');
	} finally {
		for (const end of ends.reverse()) await end();
	}
}
