import type { IPublishPacket } from 'mqtt-packet';
import { describe, expect, it } from 'vitest';
import { StoredMessages } from './stored-messages.ts';

const message = (topic: string, retain = true) => ({ topic, retain }) as IPublishPacket;

describe('P13 people are not invented: a message with the retain flag', () => {
	/** Which of these `[ms, topic, retain]` count as kept by the remote; it answers the subscription after 10 ms. */
	function kept(messages: [number, string, boolean?][], answeredAt = 10): boolean[] {
		const stored = new StoredMessages();
		stored.begin();
		let isAnswered = false;
		return messages.map(([now, topic, retain = true]) => {
			if (!isAnswered && now >= answeredAt) {
				stored.subscribed(answeredAt);
				isAnswered = true;
			}
			const packet = message(topic, retain);
			stored.arrived(packet, now);
			return stored.has(packet);
		});
	}

	it.each<[string, [number, string, boolean?][], boolean[]]>([
		[
			'is one that the remote kept, if it is the first of its topic',
			[
				[5, 'a'],
				[20, 'b'],
			],
			[true, true],
		],
		[
			'is a new one after another of its topic',
			[
				[5, 'a'],
				[20, 'a'],
			],
			[true, false],
		],
		[
			'is a new one after one without the flag',
			[
				[5, 'a', false],
				[20, 'a'],
			],
			[false, false],
		],
		[
			'is a new one when the remote has sent all that it kept',
			[
				[5, 'a'],
				[6000, 'b'],
			],
			[true, false],
		],
		[
			'is one that it kept while it sends them slowly',
			[
				[5, 'a'],
				[4000, 'b'],
				[8000, 'c'],
			],
			[true, true, true],
		],
	])('%s', (_text, messages, expected) => {
		expect(kept(messages)).toEqual(expected);
	});

	it('is a new one where nothing was subscribed to, as in a session that goes on', () => {
		const stored = new StoredMessages();
		stored.subscribed(10);
		const packet = message('a');
		stored.arrived(packet, 20);
		expect(stored.has(packet)).toBe(false);
	});
});
