import fc from 'fast-check';
import { generate, type Packet } from 'mqtt-packet';
import { describe, expect, it } from 'vitest';
import { PacketGuard } from './packet-guard.ts';

const CONNECT: Packet = {
	cmd: 'connect',
	protocolId: 'MQTT',
	protocolVersion: 4,
	clean: true,
	clientId: 'c',
	keepalive: 60,
	username: 'u',
	password: Buffer.from('p'),
};
const publish = (payload: Uint8Array): Packet => ({ cmd: 'publish', topic: 't', payload: Buffer.from(payload), qos: 0, dup: false, retain: false });

/** What a guard says to bytes cut into chunks of these sizes, again and again. */
function verdict(guard: PacketGuard, bytes: Buffer, sizes: number[] = [bytes.length]): string | undefined {
	for (let at = 0, i = 0; at < bytes.length; i++) {
		const size = sizes[i % sizes.length]!;
		const said = guard.look(bytes.subarray(at, at + size));
		if (said) return said;
		at += size;
	}
	return undefined;
}

describe('packets', () => {
	it('within the limit go by, however they are cut into chunks and whatever is in them', () => {
		const packet = fc.oneof(
			fc.uint8Array({ maxLength: 300 }).map(publish),
			fc.constantFrom<Packet>({ cmd: 'pingreq' }, { cmd: 'puback', messageId: 0x1010 }),
		);
		fc.assert(
			fc.property(fc.array(packet), fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 }), (packets, sizes) => {
				const bytes = Buffer.concat([CONNECT, ...packets].map((one) => generate(one)));
				expect(verdict(new PacketGuard(100, 303), bytes, sizes)).toBeUndefined();
			}),
		);
	});

	it('over the limit are told as soon as their header is there', () => {
		const header = generate(publish(Buffer.alloc(301))).subarray(0, 3);
		for (const sizes of [[1000], [1]]) {
			const guard = new PacketGuard(100, 303);
			expect(verdict(guard, generate(CONNECT), sizes)).toBeUndefined();
			expect(verdict(guard, generate(publish(Buffer.alloc(300))), sizes)).toBeUndefined();
			expect(verdict(guard, header, sizes)).toMatch(/^a packet of more than/);
		}
	});

	it('before a CONNECT, and a CONNECT over its own limit, are told', () => {
		expect(new PacketGuard(100, 1000).look(generate({ cmd: 'pingreq' }))).toBe('the first packet is no CONNECT');
		expect(new PacketGuard(10, 1000).look(generate(CONNECT))).toMatch(/^a packet of more than/);
	});

	it('whose length does not end are told', () => {
		expect(new PacketGuard(1e9, 1e9).look(Buffer.from([0x10, 0xff, 0xff, 0xff, 0xff]))).toBe('a packet whose length does not end');
		expect(new PacketGuard(1e9, 1e9).look(Buffer.from([0x10, 0x80, 0x80, 0x80, 0x80]))).toBe('a packet whose length does not end');
	});
});
