import { generate, type Packet } from 'mqtt-packet';
import { describe, expect, it } from 'vitest';
import { PublishLane } from './publish-lane.ts';

/** A lane whose taker wants every topic that begins with `t`. */
function lane({ keepAlive = 0, isOpen = true } = {}) {
	const taken: string[] = [];
	let settled = 0;
	let mayBegin = true;
	let now = 0;
	const opened = new PublishLane(
		() => settled++,
		() => now,
	);
	const open = () =>
		opened.open(
			{
				begin: () => mayBegin,
				take(bytes, topic, topicEnd, payload, end, packetId) {
					const name = bytes.toString('utf8', topic, topicEnd);
					if (!name.startsWith('t')) return false;
					taken.push(`${name} ${bytes.toString('utf8', payload, end)} ${packetId}`);
					return true;
				},
				end: () => undefined,
			},
			keepAlive,
		);
	if (isOpen) open();
	return {
		lane: opened,
		open,
		taken,
		settledTimes: () => settled,
		pass: (ms: number) => {
			now += ms;
		},
		refuse: () => {
			mayBegin = false;
		},
	};
}

const publish = (topic: string, payload: string, messageId = 0, more: object = {}) =>
	generate({
		...{ cmd: 'publish', topic, payload, qos: messageId > 0 ? 1 : 0, dup: false, retain: false },
		...(messageId > 0 && { messageId }),
		...more,
	} as Packet);
const PING = generate({ cmd: 'pingreq' });
const SUBSCRIBE = generate({ cmd: 'subscribe', messageId: 9, subscriptions: [{ topic: 'c', qos: 0 }] });

describe('the lane before the broker', () => {
	it('takes whole messages of QoS 0 and 1 at the beginning of a chunk', () => {
		const { lane: own, taken, settledTimes } = lane();
		expect(own.pass(Buffer.concat([publish('t1', 'a'), publish('t2', 'b', 7)]))).toBeUndefined();
		expect(taken).toEqual(['t1 a 0', 't2 b 7']);
		expect(own.isBusy).toBe(true);
		own.settled(1);
		expect([own.isBusy, settledTimes()]).toEqual([true, 0]);
		own.settled(1);
		expect([own.isBusy, settledTimes()]).toEqual([false, 1]);
	});

	it.each([
		['a retained message', publish('t', 'x', 1, { retain: true })],
		['a message of QoS 2', publish('t', 'x', 1, { qos: 2 })],
		['another topic', publish('other', 'x', 1)],
		['a ping', PING],
		['a subscription', SUBSCRIBE],
	])('leaves %s to the broker, and what follows it', (_what, other) => {
		const { lane: own, taken } = lane();
		const rest = Buffer.concat([other, publish('t', 'b', 2)]);
		expect(own.pass(Buffer.concat([publish('t', 'a'), rest]))).toEqual(rest);
		expect(taken).toEqual(['t a 0']);
	});

	it('leaves everything to the broker until it has done the messages and answered the subscriptions', () => {
		const { lane: own, taken } = lane();
		own.brokerTook();
		expect(own.pass(publish('t', 'a'))).toEqual(publish('t', 'a'));
		expect(own.pass(SUBSCRIBE)).toEqual(SUBSCRIBE);
		own.brokerDid();
		expect(own.pass(publish('t', 'b'))).toEqual(publish('t', 'b'));
		own.answered();
		expect(own.pass(publish('t', 'c'))).toBeUndefined();
		expect(taken).toEqual(['t c 0']);
	});

	it('leaves everything to the broker before the client has signed in, and while its taker wants none', () => {
		const { lane: own, open, taken, refuse } = lane({ isOpen: false });
		expect(own.pass(publish('t', 'a'))).toEqual(publish('t', 'a'));
		open();
		refuse();
		expect(own.pass(publish('t', 'b'))).toEqual(publish('t', 'b'));
		expect(taken).toEqual([]);
	});

	it('gets back into the lane although every chunk ends inside a packet', () => {
		const { lane: own, taken } = lane();
		const messages = Array.from({ length: 40 }, (_, i) => publish('t', `payload ${i}`, i + 1));
		const bytes = Buffer.concat([PING, ...messages]);
		let toBroker = 0;
		for (let at = 0; at < bytes.length; at += 50) {
			toBroker += own.pass(bytes.subarray(at, at + 50))?.length ?? 0;
			while (own.isBusy) own.settled(1);
		}
		// The broker gets the ping and what was in its chunk.
		expect(taken.at(-1)).toBe('t payload 39 40');
		expect(taken.length).toBeGreaterThan(35);
		expect(toBroker).toBe(Buffer.concat([PING, ...messages.slice(0, 40 - taken.length)]).length);
	});

	it.each([1, 2, 3, 5, 7, 11, 64, 1000])('hands on every byte in order, in chunks of %i bytes', (size) => {
		const { lane: own, taken } = lane();
		const big = publish('t', 'x'.repeat(70_000), 3);
		const packets = [publish('o', 'a'), PING, publish('t', 'b', 1), big, SUBSCRIBE, publish('t', 'c', 2), PING];
		const bytes = Buffer.concat(packets);
		const handed: Buffer[] = [];
		for (let at = 0; at < bytes.length; at += size) {
			const rest = own.pass(bytes.subarray(at, at + size));
			if (rest) handed.push(Buffer.from(rest));
			while (own.isBusy) own.settled(1);
			own.answered();
		}
		const all = Buffer.concat(handed);
		const expected = packets.filter((packet) => {
			const { length } = packet;
			return !taken.some((one) => packet.includes(one.split(' ')[1]!) && length < 100 && packet[0] === 0x32);
		});
		expect(all).toEqual(Buffer.concat(expected));
	});

	it('hands a message to the broker when it got none for a quarter of the keep-alive', () => {
		const { lane: own, pass } = lane({ keepAlive: 4 });
		pass(999);
		expect(own.pass(publish('t', 'a'))).toBeUndefined();
		own.settled(1);
		pass(1);
		expect(own.pass(publish('t', 'b'))).toEqual(publish('t', 'b'));
		pass(999);
		expect(own.pass(publish('t', 'c'))).toBeUndefined();
	});
});
