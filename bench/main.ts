/**
 * npm run bench [-- --rounds 5 --seconds 3 --only mqtt-qos1,paced,history --systems gateway,mosquitto --soak-seconds 90
 * --json FILE --quick]
 *
 * `--quick` measures the most telling scenarios and systems once, briefly, in less than three minutes.
 *
 * A load generator on one core sends readings of about 150 bytes over 50 connections, with up to 100 unacknowledged
 * readings on each (HTTP: one request at a time); the system under test has the other core. All systems take turns in
 * each round, because a machine's speed drifts: only ratios within a round are meaningful, and their medians are
 * printed. Every reading is looked up at the end.
 */
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { dashboards } from './dashboards.ts';
import { histories } from './history.ts';
import { LOAD_CORE, machine, pin } from './machine.ts';
import { type Load, type Measurement, measure } from './measure.ts';
import { flatness, table } from './report.ts';
import { type DiskUse, diskTable, diskUse, SD_CARD_CASES } from './sd-card.ts';
import { MOST_CONNECTIONS, SYSTEMS, type SystemName } from './systems.ts';
import { measureTokens, tokensTable } from './tokens.ts';

const { values: options } = parseArgs({
	options: {
		rounds: { type: 'string', default: '5' },
		seconds: { type: 'string', default: '3' },
		only: { type: 'string' },
		systems: { type: 'string' },
		'soak-seconds': { type: 'string', default: '90' },
		'soak-rate': { type: 'string', default: '10000' },
		json: { type: 'string' },
		quick: { type: 'boolean', default: false },
	},
});
const QUICK_SCENARIOS = ['mqtt-qos1', 'mqtt-mixed', 'paced', 'http', 'http-batch'];
const QUICK_SYSTEMS: readonly string[] = ['mosquitto', 'naive', 'gateway', 'gateway-log'];

function wholeNumber(name: 'rounds' | 'seconds' | 'soak-seconds' | 'soak-rate', most: number): number {
	const value = Number(options[name]);
	if (Number.isInteger(value) && value >= 1 && value <= most) return value;
	process.stderr.write(`--${name} is "${options[name]}", but must be a whole number from 1 to ${most}\n`);
	process.exit(2);
}

function chosen<T extends string>(name: 'only' | 'systems', all: readonly T[]): readonly T[] {
	const asked = options[name]?.split(',');
	const wrong = asked?.find((one) => !all.some((known) => known === one));
	if (wrong !== undefined) {
		process.stderr.write(`--${name} names "${wrong}", but must name some of ${all.join(', ')}\n`);
		process.exit(2);
	}
	if (asked) return all.filter((one) => asked.includes(one));
	if (!options.quick) return all;
	return all.filter((one) => (name === 'only' ? QUICK_SCENARIOS : QUICK_SYSTEMS).includes(one));
}

const rounds = options.quick ? 1 : wholeNumber('rounds', 100);
const seconds = options.quick ? 1 : wholeNumber('seconds', 600);
/** Long enough for the second figure, of what was acknowledged from 8 s after the start on. */
const PACED_SECONDS = 10;
const full = { qos: 1, batch: 1, warmUpSeconds: 1, seconds, live: false } as const;

interface Scenario {
	title: string;
	load: Load;
	rounds: number;
	systems: SystemName[];
}
const SCENARIOS: Record<string, Scenario> = {
	'mqtt-qos1': {
		title: 'MQTT QoS 1, as fast as it is acknowledged',
		load: { ...full, protocol: 'mqtt' },
		rounds,
		systems: [
			'mosquitto',
			'mosquitto-alone',
			'aedes',
			'aedes-alone',
			'naive',
			'naive-pipelined',
			'gateway',
			'gateway-log',
		],
	},
	'mqtt-mixed': {
		title: 'MQTT QoS 1, as fast as it is acknowledged, payloads mixed as real devices mix them',
		load: { ...full, protocol: 'mqtt', mixed: true },
		rounds,
		systems: ['mosquitto', 'gateway', 'gateway-log'],
	},
	'mqtt-many': {
		title: 'MQTT QoS 1, 1,000 connections with one message in flight each',
		load: { ...full, protocol: 'mqtt', connections: MOST_CONNECTIONS, window: 1 },
		rounds,
		systems: ['mosquitto', 'naive', 'gateway', 'gateway-log'],
	},
	'mqtt-qos0': {
		title: 'MQTT QoS 0, as fast as it is read',
		load: { ...full, protocol: 'mqtt', qos: 0 },
		rounds,
		systems: ['mosquitto', 'aedes', 'naive', 'gateway'],
	},
	http: {
		title: 'HTTP POST /ingest, one reading per request',
		load: { ...full, protocol: 'http' },
		rounds,
		systems: ['naive', 'gateway'],
	},
	'http-batch': {
		title: 'HTTP POST /ingest, 100 readings per request',
		load: { ...full, protocol: 'http', batch: 100 },
		rounds,
		systems: ['naive', 'gateway'],
	},
	paced: {
		title: 'MQTT QoS 1 at 2,000 readings/s',
		load: { ...full, protocol: 'mqtt', rate: 2000, seconds: Math.max(seconds, PACED_SECONDS), live: true },
		rounds: Math.min(rounds, 3),
		systems: ['mosquitto', 'aedes', 'naive', 'gateway', 'gateway-log'],
	},
	'paced-10000': {
		title: 'MQTT QoS 1 at 10,000 readings/s',
		load: { ...full, protocol: 'mqtt', rate: 10_000, seconds: Math.max(seconds, PACED_SECONDS), live: true },
		rounds: Math.min(rounds, 3),
		systems: ['mosquitto', 'naive', 'gateway', 'gateway-log'],
	},
	soak: {
		title: `MQTT QoS 1 at ${options['soak-rate']} readings/s for ${options['soak-seconds']} s`,
		load: {
			...full,
			protocol: 'mqtt',
			rate: wholeNumber('soak-rate', 1_000_000),
			seconds: wholeNumber('soak-seconds', 86_400),
			live: true,
		},
		rounds: 1,
		systems: ['gateway'],
	},
};

/** Not a scenario of the load generator: it measures the time to the browser, not the rate. */
const DASHBOARDS = 'dashboards';
const DASHBOARD_SECONDS = 15;
const DASHBOARDS_AT_ONCE = [100, 1000];
/** Not a scenario either: it measures how long the twin takes to answer, on both storage engines. */
const HISTORY = 'history';
/** The cost of authorizing a request by its token. */
const TOKENS = 'tokens';
/** What a gateway writes to its SD card in a day. */
const SD_CARD = 'sd-card';
const SD_CARD_SECONDS = 60;
const scenarios = chosen('only', [...Object.keys(SCENARIOS), DASHBOARDS, HISTORY, TOKENS, SD_CARD]);
const systems = chosen('systems', Object.keys(SYSTEMS) as SystemName[]);
const results: Record<string, Record<string, Measurement[]>> = {};
const progress = (text: string) => process.stderr.write(text);
const print = (text: string) => process.stdout.write(`${text}\n`);

const where = machine();
// These run first, on both cores: once this process is pinned, everything that it starts has one core.
if (scenarios.includes(DASHBOARDS))
	for (const count of DASHBOARDS_AT_ONCE) print(`${await dashboards(DASHBOARD_SECONDS, count)}\n`);
if (scenarios.includes(HISTORY)) print(`${await histories()}\n`);
if (scenarios.includes(TOKENS)) print(`${tokensTable(await measureTokens())}\n`);
if (scenarios.includes(SD_CARD)) {
	const uses: DiskUse[] = [];
	for (const { commitEvery, readingsPerSecond } of SD_CARD_CASES)
		uses.push(await diskUse(commitEvery, readingsPerSecond, SD_CARD_SECONDS));
	print(`${diskTable(uses)}\n`);
}
pin(process.pid, LOAD_CORE);
print(
	`${where.cpu}, ${where.cores} cores, ${where.memoryGiB} GiB, Node ${where.node}; ` +
		`${where.pinned ? 'generator and system on a core each' : 'NOT PINNED to cores'}\n`,
);

for (const name of scenarios) {
	if ([DASHBOARDS, HISTORY, TOKENS, SD_CARD].includes(name)) continue;
	const { title, load, rounds: times, systems: all } = SCENARIOS[name]!;
	const chosenSystems = all.filter((system) => systems.includes(system));
	const measured: Record<string, Measurement[]> = Object.fromEntries(chosenSystems.map((system) => [system, []]));
	for (let round = 0; round < times; round++) {
		for (const system of chosenSystems) {
			progress(`${name}, round ${round + 1} of ${times}, ${system} …`);
			const measurement = await measure(SYSTEMS[system], load);
			measured[system]!.push(measurement);
			progress(` ${Math.round(measurement.readingsPerSecond)}/s\n`);
		}
	}
	if (chosenSystems.length === 0) continue;
	results[name] = measured;
	print(`${table(title, measured)}\n`);
	if (name === 'soak') for (const [system, [run]] of Object.entries(measured)) print(`${system}: ${flatness(run!)}\n`);
}
for (const system of systems)
	if (Object.values(results).some((measured) => system in measured)) print(`${system}: ${SYSTEMS[system].description}`);
if (options.json)
	await writeFile(
		options.json,
		`${JSON.stringify({ machine: where, at: new Date().toISOString(), rounds, seconds, results }, undefined, '\t')}\n`,
	);
