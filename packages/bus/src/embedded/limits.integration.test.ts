import { waitFor } from '@crowdvision/testing/wait';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type EmbeddedHarness, embeddedHarness } from '../testing/embedded-harness.ts';
import { EmbeddedBus } from './embedded-bus.ts';

let harness: EmbeddedHarness;
beforeEach(async () => {
	harness = await embeddedHarness();
});
afterEach(() => harness.stop());

describe('the embedded bus', () => {
	it('refuses appends while its log is full of unacknowledged entries, and accepts them again afterwards', async () => {
		const bus = await harness.open();
		const finish = Promise.withResolvers<void>();
		const seen: string[] = [];
		await bus.consume('commands', 'slow', { member: 'a' }, async (entries) => {
			await finish.promise;
			seen.push(...entries.map(({ data }) => data));
		});
		let taken = 0;
		let refusal: unknown;
		for (; refusal === undefined && taken < 1000; taken++) {
			await bus.append('commands', [`${taken} ${'x'.repeat(4000)}`]).catch((error) => {
				refusal = error;
				taken--;
			});
		}
		expect(refusal).toMatchObject({ code: 'unavailable', message: expect.stringContaining('commands') });
		finish.resolve();
		await waitFor('the group to catch up', () => seen.length === taken);
		await waitFor('room', () => bus.append('commands', ['last']).catch(() => undefined));
		await waitFor('the last', () => seen.at(-1) === 'last');
		expect(seen.slice(0, -1).map((data) => data.split(' ')[0])).toEqual(
			Array.from({ length: taken }, (_, index) => `${index}`),
		);
	});

	it('names the stream whose writes the disk refuses, until it accepts them', async () => {
		const bus = await harness.open();
		await harness.refuseWrites();
		await expect(bus.append('command-results', ['x'])).rejects.toMatchObject({ code: 'unavailable' });
		expect(await bus.trouble()).toMatch(/command-results.*space/);
		await harness.acceptWrites();
		await bus.append('command-results', ['x']);
		expect(await bus.trouble()).toBeUndefined();
	});

	it('keeps a bounded number of dead letters in memory where no log is given for them', async () => {
		const bus = new EmbeddedBus({ logs: harness.backend().logs });
		await bus.append('commands', [
			'first poison',
			...Array.from({ length: 1000 }, (_, index) => `poison ${index}`),
			'good',
		]);
		let good = false;
		await bus.consume('commands', 'twin', { member: 'a', maxAttempts: 1, batch: 1 }, async ([entry]) => {
			if (entry!.data !== 'good') throw new Error('cannot be read');
			good = true;
		});
		await waitFor('the rest to flow on', () => good);
		const letters = await bus.deadLetters('commands', 5000);
		expect(letters).toHaveLength(1000);
		expect(letters[0]!.data).toBe('poison 999');
		expect(letters.at(-1)!.data).toBe('poison 0');
		await bus.close();
	});
});
