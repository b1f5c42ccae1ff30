/**
 * The load generator, a process of its own:  node bench/load/main.ts <file with the Job as JSON>
 * Connects, sends, prints when the measured time begins and ends, waits for outstanding acknowledgements, and prints
 * its result.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Histogram } from './histogram.ts';
import { HttpSender } from './http.ts';
import { BEGIN, END, type Job, type LoadResult, RESULT } from './job.ts';
import { connectMqtt, MqttSender } from './mqtt.ts';
import type { Sender, SenderEvents } from './sender.ts';
import { Subscriber } from './subscriber.ts';

/** How long to wait after the end for outstanding acknowledgements and for the subscriber. */
const PATIENCE_MS = 30_000;

const job: Job = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8'));
const latency = new Histogram();
/** As `latency`, from `steadyAfterSeconds` on. */
const steady = new Histogram();
let isSteady = false;
let sending = false;

function fail(error: Error): never {
	process.stderr.write(`load: ${error.message}\n`);
	process.exit(1);
}

const events: SenderEvents = {
	onLatency: (milliseconds) => {
		latency.record(milliseconds);
		if (isSteady) steady.record(milliseconds);
	},
	onAvailable: (sender) => {
		if (sending && job.rate === undefined && sender.available > 0) sender.send(sender.available);
	},
	onError: fail,
};

async function startSender({ id, token }: Job['devices'][number]): Promise<Sender> {
	if (job.protocol === 'http') return HttpSender.start(job, id, token, events);
	return new MqttSender(await connectMqtt(job, id, id, token), id, job, events);
}

/** Sends on schedule; what a late timer missed is sent at once. A connection whose window is full loses its turn. */
async function sendPaced(senders: Sender[], perSecond: number): Promise<void> {
	const began = performance.now();
	let sent = 0;
	let turn = 0;
	while (sending) {
		const due = Math.floor(((performance.now() - began) / 1000) * perSecond);
		for (; sent < due; sent++) {
			const sender = senders[turn++ % senders.length]!;
			if (sender.available > 0) sender.send(1);
		}
		await sleep(1);
	}
}

const acknowledged = (senders: Sender[]) => senders.reduce((sum, sender) => sum + sender.acknowledged, 0);
const print = (line: string) => process.stdout.write(`${line}\n`);

async function untilTrue(condition: () => boolean): Promise<void> {
	for (const until = Date.now() + PATIENCE_MS; !condition() && Date.now() < until; ) await sleep(10);
}

const subscriber = job.subscriber === undefined ? undefined : await Subscriber.start(job, job.subscriber, fail);
const senders = await Promise.all(job.devices.slice(0, job.connections).map(startSender)).catch(fail);

sending = true;
if (job.rate !== undefined) void sendPaced(senders, job.rate);
else for (const sender of senders) sender.send(sender.available);

await sleep(job.warmUpSeconds * 1000);
latency.clear();
const before = acknowledged(senders);
const beganAt = performance.now();
const cpuBefore = process.cpuUsage();
print(BEGIN);
setTimeout(
	() => {
		isSteady = true;
	},
	(job.steadyAfterSeconds - job.warmUpSeconds) * 1000,
).unref();
await sleep(job.seconds * 1000);
const counted = acknowledged(senders) - before;
const elapsed = performance.now() - beganAt;
const cpu = process.cpuUsage(cpuBefore);
const timesOf = (times: Histogram) => ({ p50: times.quantile(0.5), p99: times.quantile(0.99), max: times.quantile(1) });
const ack = timesOf(latency);
const steadyAck = timesOf(steady);
print(END);
sending = false;

await untilTrue(() => senders.every((sender) => sender.pending().length === 0));
const totalSent = senders.reduce((sum, sender) => sum + sender.sent, 0);
if (subscriber) await untilTrue(() => subscriber.readings.received >= totalSent);

const result: LoadResult = {
	perSecond: (counted / elapsed) * 1000,
	counted,
	...(latency.total > 0 && { ack }),
	...(steady.total > 0 && { steady: steadyAck }),
	sent: Object.fromEntries(senders.map(({ sensor, sent }) => [sensor, sent])),
	unacknowledged: Object.fromEntries(
		senders.map((sender) => [sender.sensor, sender.pending()]).filter(([, pending]) => pending!.length > 0),
	),
	refused: senders.reduce((sum, sender) => sum + sender.refused, 0),
	generatorCpu: (cpu.user + cpu.system) / 1000 / elapsed,
};
if (subscriber) {
	let missing = 0;
	let duplicates = 0;
	for (const sender of senders) {
		const found = subscriber.readings.compare(Number(sender.sensor.slice(2)), sender.sent, new Set(sender.pending()));
		missing += found.missing;
		duplicates += found.duplicates;
	}
	result.subscriber = { received: subscriber.readings.received, missing, duplicates };
}
for (const sender of senders) sender.close();
subscriber?.close();
process.stdout.write(`${RESULT}${JSON.stringify(result)}\n`, () => process.exit(0));
