import { waitFor } from '@crowdvision/testing/wait';
import { describe, expect, it, onTestFinished } from 'vitest';
import { heldDisk, openGatewayWorld, refusedAs } from '../testing/gateway-world.ts';
import { readingOf, type SourceHarness, type SourceOptions, type SourceWorld } from '../testing/sources/harness.ts';

/** What every source guarantees to its devices, whatever the transport. Call it at the top level of a test file. */
export function describeSource(name: string, harness: SourceHarness): void {
	const { transport } = harness;

	async function open(options: SourceOptions = {}): Promise<SourceWorld> {
		const opened = await harness.open(options);
		onTestFinished(async () => {
			expect(await opened.world.metric('gateway_ledger_imbalance', { ledger: 'source' })).toBe(0);
			await opened.world.stop();
		});
		return opened;
	}
	const seqsOf = async ({ world }: Pick<SourceWorld, 'world'>, sensorId = 'device') =>
		(await world.stored()).filter((reading) => reading.sensorId === sensorId).map(({ seq }) => seq);

	describe(`a source over ${name}`, () => {
		it('acknowledges a reading once it is on disk, and not before', async () => {
			const disk = heldDisk();
			const { world, device } = await open({ worker: disk.worker });
			disk.hold();
			let answer: string | undefined;
			const sending = device.send(readingOf(device, 1)).then((given) => {
				answer = given;
			});
			const received = () => world.metric('gateway_readings_received_total', { transport });
			await waitFor('the reading to be received', async () => (await received()) === 1);
			expect(answer).toBeUndefined();
			disk.release();
			await sending;
			expect(answer).toBe('acknowledged');
			const afterKill = await openGatewayWorld({ copyOf: world.dataDir });
			onTestFinished(() => afterKill.stop());
			expect(await afterKill.stored()).toMatchObject([{ sensorId: 'device', seq: 1, transport }]);
		});

		it('tells the device that a reading is refused, lists the reason and counts it', async () => {
			const { world, device } = await open();
			const answer = await device.send(readingOf(device, 1, { value: -1 }));
			expect(answer).toBe(harness.refusal ?? 'invalid_reading');
			expect(await refusedAs(world, 'invalid_reading')).toMatchObject({ transport, path: '/value' });
			const labels = { transport, reason: 'invalid_reading' };
			expect(await world.metric('gateway_readings_rejected_total', labels)).toBe(1);
			expect(await world.stored()).toEqual([]);
		});

		it('takes nothing while the log is full, and the same reading once there is room', async () => {
			const { world, device } = await open({ settings: { log: { maxBytes: 512 * 1024 } } });
			const cursor = await world.fillLog();
			const sending = device.send(readingOf(device, 1));
			const deferred = () => world.metric('gateway_readings_deferred_total', { transport });
			await waitFor('the reading to be deferred', async () => (await deferred()) > 0);
			expect(await world.stored()).toEqual([]);
			if (!harness.waits) expect(await sending).toBe('log_full');
			cursor.commit(world.log.endOffset);
			expect(await (harness.waits ? sending : device.send(readingOf(device, 1)))).toBe('acknowledged');
			expect(await seqsOf({ world })).toEqual([1]);
		});

		it('acknowledges a duplicate like its original, and stores it once', async () => {
			const { world, device } = await open();
			const reading = readingOf(device, 1);
			expect([await device.send(reading), await device.send(reading)]).toEqual(['acknowledged', 'acknowledged']);
			await device.reconnect();
			expect(await device.send(reading)).toBe('acknowledged');
			expect(await seqsOf({ world })).toEqual([1]);
			expect(await world.metric('gateway_readings_duplicate_total', { transport })).toBe(2);
		});

		it('acknowledges nothing during a stop that it does not store', async () => {
			const disk = heldDisk();
			const { world, device } = await open({ worker: disk.worker });
			disk.hold();
			const seqs = Array.from({ length: 50 }, (_, index) => index);
			const sending = device.sendInOrder(seqs.map((seq) => readingOf(device, seq)));
			const received = () => world.metric('gateway_readings_received_total', { transport });
			await waitFor('readings to be under way', async () => (await received()) > 0);
			const stopping = world.gateway.stopIntake();
			disk.release();
			await stopping;
			await device.end();
			const answers = await sending;
			const stored = await seqsOf({ world });
			expect(seqs.filter((seq) => answers[seq] === 'acknowledged' && !stored.includes(seq))).toEqual([]);
		});

		it.each(Object.entries(harness.garbage))('is not harmed by %s, nor are other devices', async (_what, bytes) => {
			const { world, device, neighbour } = await open();
			await device.sendBytes(bytes);
			expect(await neighbour.send(readingOf(neighbour, 1))).toBe('acknowledged');
			await device.reconnect();
			expect(await device.send(readingOf(device, 2))).toBe('acknowledged');
			expect((await world.stored()).map(({ sensorId }) => sensorId)).toEqual(['neighbour', 'device']);
		});

		it('stores the readings of a device in the order in which they were sent', async () => {
			const { world, device } = await open();
			const seqs = Array.from({ length: 100 }, (_, index) => index);
			const answers = await device.sendInOrder(seqs.map((seq) => readingOf(device, seq)));
			expect(new Set(answers)).toEqual(new Set(['acknowledged']));
			expect(await seqsOf({ world })).toEqual(seqs);
		});

		it('limits the rate of a device, loses no reading that it acknowledged, and serves others', async () => {
			const { world, device, neighbour } = await open({ messagesPerSecond: 20 });
			const seqs = Array.from({ length: 60 }, (_, index) => index);
			const sending = Promise.all(seqs.map((seq) => device.send(readingOf(device, seq))));
			await waitFor('the limit to be reached', async () => (await world.metric(...harness.limitMetric)) > 0);
			expect(await neighbour.send(readingOf(neighbour, 1))).toBe('acknowledged');
			const answers = await sending;
			expect(new Set(['acknowledged', 'rate_limited', ...answers])).toEqual(new Set(['acknowledged', 'rate_limited']));
			const stored = (await seqsOf({ world })).toSorted((a, b) => a! - b!);
			expect(stored).toEqual(seqs.filter((seq) => answers[seq] === 'acknowledged'));
		});
	});
}
