/** The systems that are compared: the gateway by each transport, and plain brokers. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Tokens } from '@crowdvision/service-kit';
import { startMosquitto } from '@crowdvision/testing/mosquitto';
import { type Running, startNode } from '@crowdvision/testing/processes';
import { type RedisServer, startRedis } from '@crowdvision/testing/redis-server';
import type { Job } from './load/job.ts';
import { BUILDING, sensorId } from './load/reading.ts';
import { LOAD_CORE, pin, SYSTEM_CORE } from './machine.ts';
import { StreamReader } from './stream-reader.ts';

/** A system under test, running and pinned to its core. */
export interface SystemUnderTest {
	/** Pid of the process whose CPU and memory are measured. */
	pid(): number;
	mqttPort?: number;
	httpPort?: number;
	devices: Job['devices'];
	redisPid?: number;
	/** Reads what ends up in Redis; absent if nothing is stored there. */
	reader?: StreamReader;
	/** For a system that runs without its relay: kills it (-9) and starts it again with the relay on. */
	recover?(): Promise<void>;
	stop(): Promise<void>;
}

/** A system that can be measured. */
export interface System {
	name: string;
	description: string;
	/** QoS of a subscriber to all readings; absent: no subscriber. */
	subscriber?: 0;
	start(): Promise<SystemUnderTest>;
}

export const CONNECTIONS = 50;
export const MOST_CONNECTIONS = 1000;
const SECRET = 'a secret of the benchmark, which guards nothing at all';
const HOST = '127.0.0.1';
/** Devices for systems that do not authenticate. */
const anonymousDevices = Array.from({ length: MOST_CONNECTIONS }, (_, index) => ({ id: sensorId(index), token: '' }));

/** Without limits, so that Mosquitto forwards everything at once. */
const MOSQUITTO = 'set_tcp_nodelay true\nmax_inflight_messages 0\nmax_queued_messages 0';

async function mosquitto(): Promise<SystemUnderTest> {
	const broker = await startMosquitto({ config: MOSQUITTO });
	pin(broker.pid, SYSTEM_CORE);
	return { pid: () => broker.pid, mqttPort: broker.port, devices: anonymousDevices, stop: () => broker.stop() };
}

async function aedes(): Promise<SystemUnderTest> {
	const broker = await startNode('bench/peers/aedes.ts', { ready: /ready (\d+)/ });
	pin(broker.pid, SYSTEM_CORE);
	return {
		pid: () => broker.pid,
		mqttPort: Number(broker.ready[1]),
		devices: anonymousDevices,
		stop: async () => void (await broker.kill()),
	};
}

/** Redis with a reader of its stream, which is there before the first entry. */
async function redisWithReader(): Promise<{ redis: RedisServer; reader: StreamReader; stop(): Promise<void> }> {
	const redis = await startRedis();
	pin(redis.pid, LOAD_CORE);
	const reader = await StreamReader.open(redis.url);
	return {
		redis,
		reader,
		stop: async () => {
			await reader.close();
			await redis.stop();
		},
	};
}

async function naive(options: string[] = []): Promise<SystemUnderTest> {
	const { redis, reader, stop } = await redisWithReader();
	const running = await startNode('bench/peers/naive.ts', {
		args: [redis.url, ...options],
		ready: /ready (\d+) (\d+)/,
	});
	pin(running.pid, SYSTEM_CORE);
	return {
		pid: () => running.pid,
		mqttPort: Number(running.ready[1]),
		httpPort: Number(running.ready[2]),
		devices: anonymousDevices,
		redisPid: redis.pid,
		reader,
		stop: async () => {
			await running.kill();
			await stop();
		},
	};
}

/** Rate limits far above the load: the pipeline is measured, not its limits. */
const GATEWAY_YAML = 'gatewayId: bench\nlimits: {messagesPerSecond: 1000000, messagesPerSecondPerAddress: 10000000}\n';

/** As `npm run gateway`, the service and the image start it. */
const AS_INSTALLED = { NODE_OPTIONS: '--max-semi-space-size=4', NODE_COMPILE_CACHE: 'node_modules/.cache/compile' };

async function gateway(relay: boolean): Promise<SystemUnderTest> {
	const dir = await mkdtemp(join(tmpdir(), 'crowdvision-bench-'));
	const { redis, reader, stop } = await redisWithReader();
	const config = join(dir, 'gateway.yaml');
	await writeFile(config, GATEWAY_YAML);
	const launch = async (relayOn: boolean): Promise<Running> => {
		const env = {
			PORT: '0',
			MQTT_PORT: '0',
			HOST,
			DATA_DIR: join(dir, 'data'),
			GATEWAY_CONFIG: config,
			JWT_SECRET: SECRET,
			LOG_LEVEL: 'warn',
			REDIS_URL: relayOn ? redis.url : undefined,
			...AS_INSTALLED,
		};
		const running = await startNode('edge-gateway/src/main.ts', {
			env,
			ready: /ready \S*?http:\/\/[^\s:]+:(\d+) mqtt:\/\/[^\s:]+:(\d+)/,
		});
		pin(running.pid, SYSTEM_CORE);
		return running;
	};
	let running = await launch(relay);
	const tokens = new Tokens(SECRET);
	const devices = anonymousDevices.map(async ({ id }) => ({
		id,
		token: await tokens.signDevice({ id, domainName: 'bench', buildingId: BUILDING }),
	}));
	return {
		pid: () => running.pid,
		mqttPort: Number(running.ready[2]),
		httpPort: Number(running.ready[1]),
		devices: await Promise.all(devices),
		redisPid: redis.pid,
		reader,
		...(!relay && {
			recover: async () => {
				await running.kill('SIGKILL');
				running = await launch(true);
			},
		}),
		stop: async () => {
			await running.kill();
			await stop();
			await rm(dir, { recursive: true, force: true });
		},
	};
}

export const SYSTEMS = {
	mosquitto: {
		name: 'mosquitto',
		description: 'Mosquitto, raw broker, one subscriber, nothing stored',
		subscriber: 0,
		start: mosquitto,
	},
	'mosquitto-alone': {
		name: 'mosquitto-alone',
		description: 'Mosquitto, raw broker, no subscriber, nothing stored',
		start: mosquitto,
	},
	aedes: { name: 'aedes', description: 'plain aedes, one subscriber, nothing stored', subscriber: 0, start: aedes },
	'aedes-alone': { name: 'aedes-alone', description: 'plain aedes, no subscriber, nothing stored', start: aedes },
	naive: {
		name: 'naive',
		description: 'aedes or express + JSON.parse + one XADD per message, acknowledged before it is stored',
		start: () => naive(),
	},
	'naive-pipelined': {
		name: 'naive-pipelined',
		description: "as naive, with ioredis's auto-pipelining",
		start: () => naive(['pipelined']),
	},
	gateway: {
		name: 'gateway',
		description: 'CrowdVision gateway, acknowledged when on disk, relay to Redis on',
		start: () => gateway(true),
	},
	'gateway-log': {
		name: 'gateway-log',
		description: 'CrowdVision gateway, acknowledged when on disk, relay off',
		start: () => gateway(false),
	},
} as const satisfies Record<string, System>;
export type SystemName = keyof typeof SYSTEMS;
