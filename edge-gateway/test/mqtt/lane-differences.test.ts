import { setImmediate } from 'node:timers/promises';
import { waitFor } from '@crowdvision/testing/wait';
import { expect, it } from 'vitest';
import { type GatewayWorld, openGatewayWorld } from '../../src/testing/gateway-world.ts';
import { cutAtRandom, type Flow, laneFlow, randomOf } from '../../src/testing/lane-flow.ts';
import { messagesOn, mqttClient, rawSignedIn } from '../../src/testing/mqtt-clients.ts';
import { SetClock } from '../../src/testing/set-clock.ts';

/** How long flows are made and compared; 60 and more is for runs by hand. */
const SECONDS = Number(process.env.LANE_SECONDS ?? 4);
const FIRST_SEED = Number(process.env.LANE_SEED ?? 1);
const NOW = Date.UTC(2026, 10, 30, 12);

/** Sends a flow over a connection of its own. Returns the identifiers that were acknowledged, in order. */
async function send(world: GatewayWorld, flow: Flow, sensorId: string, random: () => number): Promise<number[]> {
	const token = await world.token(`d-${sensorId}`, { sensorIds: [sensorId] });
	const client = await rawSignedIn(world, `d-${sensorId}`, token, sensorId);
	const answered = () => client.received.flatMap((one) => (one.cmd === 'puback' ? [one.messageId!] : []));
	const allAnswered = (sent: number) => {
		const due = flow.ends.filter((end) => end <= sent).length;
		return waitFor(`${due} acknowledgements`, () => answered().length >= due);
	};
	const pieces = cutAtRandom(random, flow.bytes);
	let sent = 0;
	for (const piece of pieces) {
		client.sendBytes(piece);
		sent += piece.length;
		if (random() < 0.7) await setImmediate();
		// Else the broker would have the first packets, and all of the others had come before it is done.
		if (random() < 15 / pieces.length) await allAnswered(sent);
	}
	await allAnswered(sent);
	client.end();
	return answered();
}

/** The readings and counts that a gateway has made of all flows. */
async function outcome(world: GatewayWorld) {
	const readings = (await world.stored()).map(({ id, ...reading }) => ({ ...reading, offset: id.split('-').at(-1) }));
	const metrics = (await world.call('GET', '/metrics')).text
		.split('\n')
		.filter((line) => /^gateway_(readings_|ledger_)/.test(line));
	return { readings, metrics };
}

/** What was refused of a flow, in any order: a message is listed in part once its other part is on disk. */
async function rejectedOf(world: GatewayWorld, sensorId: string): Promise<string[]> {
	const own = (await world.rejected()).filter(({ sender }) => sender === `d-${sensorId}`);
	return own.map(({ id: _, ...rest }) => JSON.stringify(rest)).sort();
}

it(
	'the same bytes, cut anywhere, become the same records, rejections, counts and acknowledgements ' +
		'by the fast lane and by the broker',
	async () => {
		const lane = await openGatewayWorld({ time: new SetClock(NOW) });
		const long = await openGatewayWorld({ time: new SetClock(NOW) });
		try {
			// With a subscriber to telemetry, all of it goes to the broker.
			const subscriber = await mqttClient(long.mqttUrl, 'sub', await long.token('sub', { sensorIds: ['sub'] }));
			await messagesOn(subscriber, 'telemetry/b1/hall/sub');
			const ends = performance.now() + SECONDS * 1000;
			let seed = FIRST_SEED;
			do {
				const random = randomOf(seed);
				const sensorId = `s${seed}`;
				const flow = laneFlow(random, sensorId, NOW, 300);
				const sent = [await send(lane, flow, sensorId, random), await send(long, flow, sensorId, random)];
				expect(sent, `LANE_SEED=${seed}`).toEqual([flow.acknowledged, flow.acknowledged]);
				const rejected = [await rejectedOf(lane, sensorId), await rejectedOf(long, sensorId)];
				// The list holds no more.
				if (rejected[0]!.length < 200) expect(rejected[0], `LANE_SEED=${seed}`).toEqual(rejected[1]);
				seed++;
			} while (performance.now() < ends);
			const [byLane, byBroker] = [await outcome(lane), await outcome(long)];
			expect(byLane.metrics).toEqual(byBroker.metrics);
			expect(byLane.readings).toEqual(byBroker.readings);
			// Else nothing was compared.
			expect(await lane.metric('gateway_mqtt_fast_lane_total', { way: 'shape' })).toBeGreaterThan(20);
			expect(await long.metric('gateway_mqtt_fast_lane_total')).toBe(0);
			process.stdout.write(
				`${seed - FIRST_SEED} flows, ${byLane.readings.length} readings, by shape ` +
					`${await lane.metric('gateway_mqtt_fast_lane_total', { way: 'shape' })}, whole ` +
					`${await lane.metric('gateway_mqtt_fast_lane_total', { way: 'whole' })}\n`,
			);
		} finally {
			await lane.stop();
			await long.stop();
		}
	},
	SECONDS * 3000 + 60_000,
);
