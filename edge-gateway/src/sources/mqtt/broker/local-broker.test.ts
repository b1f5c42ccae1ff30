import { expect, it } from 'vitest';
import { LocalBroker, type LocalMessage } from './local-broker.ts';

const message = (topic: string): LocalMessage => ({ topic, payload: Buffer.from('x'), qos: 1, retain: false });

it('the local broker gives a message to every tap whose filter matches, and makes no promise otherwise', async () => {
	const local = new LocalBroker();
	expect(local.offer(message('a/b'))).toBeUndefined();
	const { revision } = local;
	const tapped: string[] = [];
	const end = local.tap('a/#', async ({ topic }) => void tapped.push(topic));
	expect(local.offer(message('b'))).toBeUndefined();
	await local.offer(message('a/b'));
	end();
	expect(local.offer(message('a/c'))).toBeUndefined();
	expect(tapped).toEqual(['a/b']);
	// Who relies on there being no tap hears of both changes.
	expect(local.revision).toBe(revision + 2);
});

it('the local broker publishes to clients only after every tap has taken the message', async () => {
	const order: string[] = [];
	const local = new LocalBroker();
	local.connect(async ({ topic }) => void order.push(`clients ${topic}`));
	const gate = Promise.withResolvers<void>();
	local.tap('#', () => gate.promise.then(() => void order.push('tap')));
	const published = local.publish(message('t'));
	expect(order).toEqual([]);
	gate.resolve();
	await published;
	expect(order).toEqual(['tap', 'clients t']);
});
