import { describe, expect, it } from 'vitest';
import { KnownTopics } from './known-topics.ts';

describe('the topics of a connection', () => {
	const find = (topics: KnownTopics<number>, topic: string) => {
		const bytes = Buffer.from(`xx${topic}yy`);
		return topics.find(bytes, 2, bytes.length - 2);
	};

	it('are found by their bytes, in any order', () => {
		const topics = new KnownTopics<number>();
		for (let i = 0; i < 20; i++) topics.set(`t/${i}`, i);
		for (const i of [3, 4, 5, 3, 4, 5, 19, 0, 19, 0, 7]) expect(find(topics, `t/${i}`)).toBe(i);
		expect([find(topics, 't/20'), find(topics, 't/'), find(topics, '')]).toEqual([undefined, undefined, undefined]);
	});

	it('are at most 128: beyond that all are forgotten, and whoever holds something for them is told', () => {
		const forgotten: number[] = [];
		const topics = new KnownTopics<number>((known) => forgotten.push(known));
		for (let i = 0; i <= 128; i++) topics.set(`t/${i}`, i);
		expect(forgotten).toEqual(Array.from({ length: 128 }, (_, i) => i));
		expect([find(topics, 't/0'), find(topics, 't/128')]).toEqual([undefined, 128]);
	});

	it('are not known if they are longer than 1 KiB', () => {
		const topics = new KnownTopics<number>();
		topics.set('t'.repeat(1024), 1);
		topics.set('t'.repeat(1025), 2);
		expect([find(topics, 't'.repeat(1024)), find(topics, 't'.repeat(1025))]).toEqual([1, undefined]);
	});
});
