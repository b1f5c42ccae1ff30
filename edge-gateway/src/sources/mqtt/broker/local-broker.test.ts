import { expect, it } from 'vitest';
import { LocalBroker, type LocalMessage } from './local-broker.ts';

const message = (topic: string): LocalMessage => ({ topic, payload: Buffer.from('x'), qos: 1, retain: false });

it('gives a message to every tap whose filter matches, and costs no promise where none does', async () => {
	const local = new LocalBroker(async () => undefined);
	expect(local.offer(message('a/b'))).toBeUndefined();
	const heard: string[] = [];
	const end = local.tap('a/#', async ({ topic }) => void heard.push(topic));
	expect(local.offer(message('b'))).toBeUndefined();
	await local.offer(message('a/b'));
	end();
	expect(local.offer(message('a/c'))).toBeUndefined();
	expect(heard).toEqual(['a/b']);
});

it('what is published from inside reaches the clients only after every tap has it', async () => {
	const order: string[] = [];
	const local = new LocalBroker(async ({ topic }) => void order.push(`clients ${topic}`));
	const gate = Promise.withResolvers<void>();
	local.tap('#', () => gate.promise.then(() => void order.push('tap')));
	const published = local.publish(message('t'));
	expect(order).toEqual([]);
	gate.resolve();
	await published;
	expect(order).toEqual(['tap', 'clients t']);
});
