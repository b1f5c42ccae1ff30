/** The program of the gateway: runs it as a process of its own, or one of its commands. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { RedisBus } from '@crowdvision/bus';
import { startCommitWorker } from '@crowdvision/log';
import {
	authorityOf,
	closeServer,
	createApp,
	createLogger,
	createServer,
	finishApp,
	followTokens,
	Lifecycle,
	limitRequests,
	listen,
	metricsGuard,
	openTokens,
	probeRoutes,
	processMetrics,
	Registry,
	releaseStartupMemory,
	requestMetrics,
	runMain,
	SettingsError,
	Site,
	type Tokens,
} from '@crowdvision/service-kit';
import { type GatewayConfig, readGatewayConfig } from './configuration/gateway-config.ts';
import { type StartedConfiguration, startConfiguration } from './configuration/start.ts';
import { check } from './control/check-command.ts';
import { adoptSensor, listDevices } from './control/device-commands.ts';
import { dryRun } from './control/dry-run-command.ts';
import { why } from './control/why-command.ts';
import { openTelemetryLog } from './gateway/storage.ts';
import { createGateway } from './gateway.ts';

const USAGE = `usage: npm run gateway [-- COMMAND]

without a command   run the gateway on its own
check               validate the environment and gateway.yaml, and exit
dry-run FILE        try another gateway.yaml on the last messages; changes nothing
token --device ID [--domain NAME] [--building ID] [--sensors ID,ID]
                    make a device token with this gateway's secret
why <sensor | topic | id> [--domain NAME] [--json]
                    what became of the messages of a sensor or device, of a topic, or of one reading; with
                    --domain, of those of this domain only
devices             list connected devices and sensors in quarantine
adopt <sensor> <building> <room>
                    give a sensor in quarantine its room`;

/** Runs the gateway as a process of its own, as on a Raspberry Pi. */
async function run(configuration: StartedConfiguration): Promise<void> {
	const { config } = configuration;
	const logger = createLogger('gateway', config.logLevel);
	const lifecycle = new Lifecycle(logger);
	lifecycle.onStop('lock of the data folder', () => configuration.lock.release());
	lifecycle.exitOnSignals();
	await lifecycle.stopOnFailure(async () => {
		const tokens = tokensOf(config);
		const metrics = new Registry();
		processMetrics(metrics);
		const worker = startCommitWorker();
		lifecycle.onStop('commit thread', () => worker.close());
		const { log, clock } = await openTelemetryLog({ config, worker, logger, lifecycle });
		const bus = config.redisUrl ? new RedisBus({ url: config.redisUrl, logger }) : undefined;
		if (bus) {
			lifecycle.onStop('bus', () => bus.close());
			const links = await followTokens(tokens, bus, logger, join(config.dataDir, 'gateway', 'signing-keys.json'));
			lifecycle.onStop('tokens', () => links.close());
		}
		const gateway = await createGateway({
			config,
			log,
			clock,
			worker,
			bus,
			tokens,
			signsElsewhere: bus !== undefined,
			logger,
			metrics,
		});
		lifecycle.onStop('gateway', () => gateway.stop());

		const site = new Site({ trustProxy: config.trustProxy });
		const app = createApp(site);
		app.use(
			probeRoutes({
				metrics,
				metricsGuard: metricsGuard(config.metricsAccess, site),
				trouble: () => gateway.trouble(),
				about: () => gateway.about(),
			}),
		);
		app.use(gateway.ingest);
		app.use(requestMetrics(metrics, 'gateway'), limitRequests(config.requestsPerMinute), gateway.router);
		finishApp(app, logger);
		const server = createServer(gateway.inFrontOf(app));
		gateway.attach(server);
		lifecycle.onStop('http', () => closeServer(server));
		lifecycle.onStop('intake', () => gateway.stopIntake());
		const port = await listen(server, config.port, config.host);
		await gateway.start();
		gateway.follow(configuration);
		await gateway.warmUp();
		releaseStartupMemory();
		process.stdout.write(
			`ready http://${authorityOf(config.host, port)} mqtt://${authorityOf(config.host, gateway.mqttPort())}\n`,
		);
	});
}

function tokensOf(config: GatewayConfig): Tokens {
	return openTokens({
		JWT_SIGNING: config.jwtSigning,
		JWT_SECRET: config.jwtSecret,
		JWT_SECRET_PREVIOUS: config.jwtSecretPrevious,
		DEVICE_TOKEN_MAX_DAYS: config.deviceTokenMaxDays,
		DATA_DIR: config.dataDir,
	});
}

/** Prints a device token, for a gateway without an auth service. */
async function makeToken(config: GatewayConfig, options: string[]): Promise<void> {
	const given = new Map<string, string>();
	for (let i = 0; i < options.length; i += 2) {
		const [option, value] = options.slice(i, i + 2);
		if (!['--device', '--domain', '--building', '--sensors'].includes(option ?? '') || !value)
			throw new SettingsError(USAGE);
		given.set(option!, value);
	}
	const id = given.get('--device');
	if (!id) throw new SettingsError(USAGE);
	mkdirSync(config.dataDir, { recursive: true, mode: 0o700 });
	const building = given.get('--building');
	const sensors = given.get('--sensors');
	if (config.jwtSigning === 'keypair')
		throw new SettingsError(
			'JWT_SIGNING is keypair, so only auth can make device tokens (POST /auth/domains/{name}/devices)',
		);
	const token = await tokensOf(config).signDevice({
		id,
		domainName: given.get('--domain') ?? 'local',
		...(building === undefined ? {} : { buildingId: building }),
		...(sensors === undefined ? {} : { sensorIds: sensors.split(',') }),
	});
	process.stdout.write(`${token}\n`);
}

await runMain(async () => {
	const [command, ...options] = process.argv.slice(2);
	if (command === '--help' || command === 'help') return void process.stdout.write(`${USAGE}\n`);
	if (command === undefined) return run(startConfiguration(process.env));
	if (command === 'dry-run') return void process.stdout.write(await dryRun(process.env, options));
	const config = readGatewayConfig(process.env);
	if (command === 'check') return void process.stdout.write(await check(config));
	if (command === 'why') return void process.stdout.write(await why(config.dataDir, options));
	if (command === 'devices') return void process.stdout.write(await listDevices(config.dataDir, options));
	if (command === 'adopt') return void process.stdout.write(await adoptSensor(config.dataDir, options));
	if (command === 'token') return makeToken(config, options);
	throw new SettingsError(USAGE);
});
