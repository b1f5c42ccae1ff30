import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CommitWorker, startCommitWorker } from '@crowdvision/log';
import { createLogger } from '@crowdvision/service-kit';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { breakableDisk } from '../../../testing/gateway-world.ts';
import { type Change, decodeChange, encodeChange, type StoredPacket } from './change.ts';
import { MESSAGE_COST, type SessionBounds } from './session-bounds.ts';
import { SessionJournal } from './session-journal.ts';
import { SessionState } from './session-state.ts';
import { SessionStore } from './session-store.ts';

const logger = createLogger('test', 'silent');
const disk = breakableDisk();
let dir: string;
let worker: CommitWorker;
beforeEach(() => {
	dir = mkdtempSync(join(tmpdir(), 'crowdvision-journal-'));
	worker = startCommitWorker(disk.faults);
});
afterEach(async () => {
	disk.mend();
	await worker.close();
	rmSync(dir, { recursive: true, force: true });
});

const message = (topic: string, payload: Buffer | string, counter = 1): StoredPacket =>
	({
		cmd: 'publish',
		topic,
		payload: Buffer.from(payload),
		qos: 1,
		retain: false,
		dup: false,
		brokerId: 'b',
		brokerCounter: counter,
	}) as StoredPacket;

const client = fc.constantFrom('d/a', 'd/b', '__proto__');
const filter = fc.constantFrom('status/s', 'status/+', '#', 'command/x');
const packet = fc
	.tuple(fc.constantFrom('status/s', 'command/x'), fc.uint8Array({ maxLength: 8 }), fc.integer({ min: 1, max: 6 }))
	.map(([topic, payload, counter]) => message(topic, Buffer.from(payload), counter));
const anyChange: fc.Arbitrary<Change> = fc.oneof(
	packet.map((one) => ({ do: 'retain' as const, packet: one })),
	fc
		.tuple(client, filter, fc.constantFrom(0 as const, 1 as const))
		.map(([id, topic, qos]) => ({ do: 'subscribe' as const, client: id, subs: [{ topic, qos }] })),
	fc.tuple(client, filter).map(([id, topic]) => ({ do: 'unsubscribe' as const, client: id, topics: [topic] })),
	fc.tuple(fc.uniqueArray(client), packet).map(([clients, one]) => ({ do: 'enqueue' as const, clients, packet: one })),
	fc.tuple(client, fc.integer({ min: 1, max: 6 })).map(([id, brokerCounter]) => ({
		do: 'clear' as const,
		client: id,
		packet: { messageId: undefined, brokerId: 'b', brokerCounter },
	})),
	fc
		.tuple(client, packet, fc.nat(3))
		.map(([id, one, messageId]) => ({ do: 'receive' as const, client: id, packet: { ...one, messageId } })),
	fc.tuple(client, fc.nat(3)).map(([id, messageId]) => ({ do: 'release' as const, client: id, messageId })),
	client.map((id) => ({ do: 'end' as const, client: id })),
	fc.tuple(client, fc.nat()).map(([id, at]) => ({ do: 'away' as const, client: id, at })),
);
const changesOf = (state: SessionState) => [...state.changes()].map((change) => JSON.parse(encodeChange(change)));

describe('the state of sessions', () => {
	it('is restored by its own changes, with correct counts of messages and bytes', () => {
		fc.assert(
			fc.property(fc.array(anyChange, { maxLength: 40 }), (changes) => {
				const state = new SessionState();
				for (const change of changes) state.apply(decodeChange(Buffer.from(encodeChange(change))));
				const again = new SessionState();
				for (const change of state.changes()) again.apply(change);
				expect(changesOf(again)).toEqual(changesOf(state));
				expect([again.outgoingBytes, again.retainedBytes]).toEqual([state.outgoingBytes, state.retainedBytes]);
				expect(again.outgoingMessages).toBe(state.outgoingMessages);
				expect(state.outgoingMessages).toBe(
					[...state.sessions.values()].reduce((sum, { outgoing }) => sum + outgoing.length, 0),
				);
				const empty = [...state.sessions.keys()];
				for (const id of empty) state.apply({ do: 'end', client: id });
				expect([state.outgoingBytes, state.outgoingMessages]).toEqual([0, 0]);
				expect(state.matching('status/s')).toEqual([]);
			}),
		);
	});
});

describe('a stored payload', () => {
	const chunk = Buffer.from('a chunk that was read, with many messages in it');
	const piece = chunk.subarray(2, 7);
	const memoryOf = ({ payload }: { payload: unknown }) => (payload as Buffer).buffer.byteLength;

	it('owns its memory, and keeps neither the chunk it arrived in nor a pool, also after a restart', () => {
		for (const through of [
			(change: Change) => change,
			(change: Change) => decodeChange(Buffer.from(encodeChange(change))),
		]) {
			const state = new SessionState();
			state.apply(through({ do: 'retain', packet: { ...message('status/s', ''), payload: piece } }));
			state.apply(
				through({ do: 'enqueue', clients: ['d/a', 'd/b'], packet: { ...message('status/s', ''), payload: piece } }),
			);
			state.apply(
				through({
					do: 'enqueue',
					clients: ['d/a'],
					packet: { ...message('status/s', '', 2), brokerId: 'c', payload: piece, messageId: 7 },
				}),
			);
			state.apply(
				through({
					do: 'update',
					client: 'd/a',
					packet: { ...message('x', '', 3), brokerId: 'e', payload: piece, messageId: 7 },
				}),
			);
			state.apply(
				through({ do: 'receive', client: 'd/a', packet: { ...message('status/s', ''), payload: piece, messageId: 1 } }),
			);
			const { outgoing, incoming } = state.sessions.get('d/a')!;
			const all = [
				...state.retained.values(),
				...outgoing,
				...state.sessions.get('d/b')!.outgoing,
				...incoming.values(),
			];
			expect(all.map(({ payload }) => payload.toString())).toEqual(Array.from({ length: 5 }, () => 'chunk'));
			expect(all.map(memoryOf)).toEqual(Array.from({ length: 5 }, () => piece.length));
		}
	});

	it('owns its memory as a last will too, and as a message of QoS 2 in a clean session', async () => {
		const store = await SessionStore.open(dir, { worker, logger });
		store.broker = { id: 'b' } as never;
		const will = { ...message('status/s', ''), payload: piece };
		await store.putWill({ id: 'd/a' }, will);
		await store.incomingStorePacket(
			{ id: 'd/a', clean: true },
			{ ...message('status/s', ''), payload: piece, messageId: 1 },
		);
		const all = [
			will,
			await store.getWill({ id: 'd/a' }),
			await store.incomingGetPacket({ id: 'd/a' }, { messageId: 1 }),
		];
		expect(all.map((one) => [one?.payload.toString(), memoryOf(one!)])).toEqual(all.map(() => ['chunk', piece.length]));
		await store.destroy();
	});
});

describe('the session journal', () => {
	it('restores what was written, across snapshots, and stays small', async () => {
		const journal = await SessionJournal.open(dir, worker, logger);
		const payload = Buffer.alloc(200_000, 'x');
		const write = async (change: Change) => {
			journal.state.apply(change);
			await journal.write(change);
		};
		for (let i = 0; i < 100; i++) {
			await write({ do: 'enqueue', clients: ['d/a'], packet: message('status/s', payload, i) });
			if (i >= 3)
				await write({
					do: 'clear',
					client: 'd/a',
					packet: { messageId: undefined, brokerId: 'b', brokerCounter: i - 3 },
				});
		}
		const before = changesOf(journal.state);
		await journal.close();
		const again = await SessionJournal.open(dir, worker, logger);
		expect(changesOf(again.state)).toEqual(before);
		expect(again.replayed).toBeLessThan(100);
		await again.close();
	});

	it('holds changes back while the disk fails, and then writes them in order', async () => {
		const journal = await SessionJournal.open(dir, worker, logger);
		disk.breakDown();
		const written: number[] = [];
		const all = [1, 2, 3].map((n) =>
			journal.write({ do: 'retain', packet: message(`t${n}`, 'x', n) }).then(() => written.push(n)),
		);
		await new Promise((resolve) => setImmediate(resolve));
		expect(written).toEqual([]);
		disk.mend();
		await Promise.all(all);
		expect(written).toEqual([1, 2, 3]);
		await journal.close();
	});
});

describe('the session store is bounded', () => {
	const open = (bounds: Partial<SessionBounds>) => SessionStore.open(dir, { worker, logger, bounds });

	it('in messages and bytes per session and in total, in retained messages, and in the size of one', async () => {
		const store = await open({
			messages: 3,
			bytes: 1000,
			totalBytes: 1500 + 6 * MESSAGE_COST,
			retained: 2,
			largestMessage: 500,
		});
		for (let i = 0; i < 5; i++) await store.outgoingEnqueue({ clientId: 'few' }, message('t', `${i}`, i));
		for (let i = 0; i < 5; i++) await store.outgoingEnqueue({ clientId: 'large' }, message('t', Buffer.alloc(400), i));
		await store.outgoingEnqueue({ clientId: 'third' }, message('t', Buffer.alloc(490), 1));
		await store.outgoingEnqueue({ clientId: 'third' }, message('t', Buffer.alloc(490), 2));
		await store.outgoingEnqueue({ clientId: 'third' }, message('t', Buffer.alloc(501), 3));
		const waiting = async (id: string) =>
			(await store.outgoingStream({ id }).toArray()).map(({ brokerCounter }) => brokerCounter);
		expect([await waiting('few'), await waiting('large'), await waiting('third')]).toEqual([[0, 1, 2], [0, 1], [1]]);
		for (const topic of ['a', 'b', 'c']) await store.storeRetained(message(topic, 'x'));
		await store.storeRetained(message('a', 'y'));
		expect(
			(await store.createRetainedStream('#').toArray()).map(({ topic, payload }) => [topic, payload.toString()]),
		).toEqual([
			['a', 'y'],
			['b', 'x'],
		]);
		expect(store.dropped).toBe(2 + 3 + 2 + 1);
		await store.destroy();
	});

	it('in retained messages per device, so that none fills the store for the others, also after a restart', async () => {
		const store = await open({ retained: 10, retainedPerDevice: 2 });
		const retain = async (on: SessionStore, device: string, topic: string, payload = 'online') => {
			on.attribute(topic, device);
			await on.storeRetained(message(topic, payload));
		};
		for (let i = 0; i < 10; i++) await retain(store, 'greedy', `status/${i}`);
		await retain(store, 'modest', 'status/m');
		const topics = async (on: SessionStore) =>
			(await on.createRetainedStream('#').toArray()).map(({ topic }) => topic).sort();
		expect(await topics(store)).toEqual(['status/0', 'status/1', 'status/m']);
		expect(store.dropped).toBe(8);
		await store.destroy();
		const again = await open({ retained: 10, retainedPerDevice: 2 });
		await retain(again, 'greedy', 'status/2');
		// An empty message clears, and makes room.
		await retain(again, 'greedy', 'status/0', '');
		await retain(again, 'greedy', 'status/3');
		await retain(again, 'greedy', 'status/1', 'offline');
		expect(await topics(again)).toEqual(['status/1', 'status/3', 'status/m']);
		await again.destroy();
	});

	it('in the memory that many small messages cost, not only in their bytes', async () => {
		const store = await open({ totalBytes: 10 * MESSAGE_COST });
		for (let i = 0; i < 20; i++) await store.outgoingEnqueue({ clientId: `s${i % 3}` }, message('t', 'x', i));
		expect([store.waitingMessages, store.dropped]).toEqual([9, 11]);
		await store.destroy();
	});

	it('in time: a session ends when its client is away for too long, measured by a clock that was right', async () => {
		const store = await open({ expireAfterMs: 1000 });
		const now = Date.UTC(2026, 10, 28);
		for (const id of ['here', 'gone', 'back', 'early'])
			await store.addSubscriptions({ id }, [{ topic: 'status/s', qos: 1 }]);
		await store.disconnected('gone', now);
		await store.disconnected('early', 5000);
		await store.disconnected('back', now);
		await store.connected('back');
		const isHere = (id: string) => id === 'here' || id === 'back';
		await store.expire(now + 900, isHere);
		expect(store.sessions).toBe(4);
		await store.expire(now + 1001, isHere);
		expect([store.sessions, store.expired]).toEqual([3, 1]);
		await store.expire(now + 1901, isHere);
		expect([store.sessions, store.expired]).toEqual([2, 2]);
		await store.destroy();
	});
});
