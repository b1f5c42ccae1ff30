import { CrowdVisionError } from '@crowdvision/contracts';
import { NO_LOGGER } from '@crowdvision/service-kit/plain-logger';
import { within } from '@crowdvision/testing/wait';
import { describe, expect, it } from 'vitest';
import type { BusEntry } from './bus.ts';
import { type Candidate, type Delivery, deliver } from './deliver.ts';

const candidates = (...data: string[]): Candidate[] =>
	data.map((text, index) => ({ entry: { position: String(index + 1), data: text }, tries: 0 }));

/** A delivery that records what happens. */
function record(parts: Partial<Delivery> = {}) {
	const story: string[] = [];
	const list = (entries: BusEntry[]) => entries.map(({ data }) => data).join(' ');
	const handle = parts.handle ?? (async () => undefined);
	const delivery: Delivery = {
		maxAttempts: 2,
		signal: new AbortController().signal,
		logger: NO_LOGGER,
		acknowledge: async (entries) => void story.push(`ack ${list(entries)}`),
		setAside: async (entry, reason, attempts) => void story.push(`aside ${entry.data}: ${reason} (${attempts})`),
		trying: async (entry, attempt) => void story.push(`try ${attempt} ${entry.data}`),
		...parts,
		handle: async (entries) => {
			story.push(`handle ${list(entries)}`);
			await handle(entries);
		},
	};
	return { story, delivery };
}

const failFor =
	(bad: string, error: unknown = new Error('bad')) =>
	async (entries: BusEntry[]) => {
		if (entries.some(({ data }) => data === bad)) throw error;
	};

describe('deliver', () => {
	it('acknowledges a batch that was handled together in one step', async () => {
		const { story, delivery } = record();
		await deliver(delivery, candidates('a', 'b'));
		expect(story).toEqual(['handle a b', 'ack a b']);
	});

	it('finds the bad entry in a batch by trying one by one, and gives each entry a try of its own', async () => {
		const { story, delivery } = record({ handle: failFor('b'), maxAttempts: 1 });
		await deliver(delivery, candidates('a', 'b', 'c'));
		expect(story).toEqual(['handle a b c', 'handle a', 'ack a', 'handle b', 'aside b: bad (1)', 'handle c', 'ack c']);
	});

	it('sets aside without a try an entry that too many members held when they died', async () => {
		const { story, delivery } = record();
		await deliver(delivery, [{ entry: { position: '1', data: 'a' }, tries: 2 }]);
		expect(story).toEqual([expect.stringMatching(/^aside a: .*ended/)]);
	});

	it('records each try of a single entry before it begins', async () => {
		const { story, delivery } = record({ handle: failFor('a'), maxAttempts: 3, acknowledge: async () => undefined });
		await deliver(delivery, [{ entry: { position: '1', data: 'a' }, tries: 1 }]);
		expect(story).toEqual(['handle a', 'try 3 a', 'handle a', 'aside a: bad (3)']);
	});

	it('uses whatever a handler throws as the reason', async () => {
		const { story, delivery } = record({ handle: failFor('a', 'just a text'), maxAttempts: 1 });
		await deliver(delivery, candidates('a'));
		expect(story.at(-1)).toBe('aside a: just a text (1)');
	});

	it('does not count tries that fail as unavailable', async () => {
		let away = 3;
		const { story, delivery } = record({
			maxAttempts: 1,
			handle: async () => {
				if (away-- > 0) throw new CrowdVisionError('unavailable', 'the store is away');
			},
		});
		await deliver(delivery, candidates('a'));
		expect(story.at(-1)).toBe('ack a');
		expect(story.filter((line) => line.startsWith('handle'))).toHaveLength(4);
	});

	it('repeats a failed acknowledgement without handling the entries again', async () => {
		let failures = 2;
		const { story, delivery } = record({
			acknowledge: async () => {
				if (failures-- > 0) throw new Error('away');
				story.push('acknowledged');
			},
		});
		await deliver(delivery, candidates('a', 'b'));
		expect(story).toEqual(['handle a b', 'acknowledged']);
	});

	it('stops trying when the consumer closes, also during a pause, and acknowledges what was handled', async () => {
		const closing = new AbortController();
		const { story, delivery } = record({
			signal: closing.signal,
			maxAttempts: 1000,
			handle: async (entries) => {
				if (entries[0]!.data === 'a') return;
				closing.abort();
				throw new Error('bad');
			},
		});
		await within(
			'the delivery',
			deliver(delivery, [{ entry: { position: '1', data: 'a' }, tries: 2 }, ...candidates('b', 'c')]),
		);
		expect(story).toEqual(['handle a', 'ack a', 'handle b']);
	});
});
