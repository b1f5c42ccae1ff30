import fc from 'fast-check';
import { generate, type Packet } from 'mqtt-packet';
import { describe, expect, it } from 'vitest';
import { connectOf, MALFORMED_CONNECTS, MALFORMED_PACKETS, packetOf, str } from '../../../testing/malformed-packets.ts';
import { type MayAcknowledge, PacketGuard, type PacketLimits } from './packet-guard.ts';
import type { Rule } from './rules.ts';

const LIMITS: PacketLimits = { connect: 16 * 1024, publish: 1024 * 1024, other: 64 * 1024 };
const guardOf = (limits: Partial<PacketLimits> = {}, mayAcknowledge: MayAcknowledge = () => false) =>
	new PacketGuard({ ...LIMITS, ...limits }, mayAcknowledge);

/** The verdict of a guard on bytes that arrive in chunks of these sizes, used in turn. */
function verdict(guard: PacketGuard, bytes: Buffer, sizes: number[] = [bytes.length]): Rule | undefined {
	for (let at = 0, i = 0; at < bytes.length; i++) {
		const size = sizes[i % sizes.length]!;
		const rule = guard.inspect(bytes.subarray(at, at + size));
		if (rule) return rule;
		at += size;
	}
	return undefined;
}

const anySizes = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 });
const topic = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }).filter((text) => !/[+#\0]/.test(text));
const id = fc.integer({ min: 1, max: 65_535 });
const anyPacket: fc.Arbitrary<Packet> = fc.oneof(
	fc.record({
		cmd: fc.constant('publish' as const),
		topic,
		payload: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
		qos: fc.constantFrom(0 as const, 1 as const, 2 as const),
		messageId: id,
		dup: fc.constant(false),
		retain: fc.boolean(),
	}),
	fc.record({
		cmd: fc.constantFrom('puback' as const, 'pubrec' as const, 'pubrel' as const, 'pubcomp' as const),
		messageId: id,
	}),
	fc.record({
		cmd: fc.constant('subscribe' as const),
		messageId: id,
		subscriptions: fc.array(
			fc.record({
				topic: fc.constantFrom('a', '+', '#', 'a/+/#', '/+', 'ü/#'),
				qos: fc.constantFrom(0 as const, 1 as const),
			}),
			{
				minLength: 1,
			},
		),
	}),
	fc.record({
		cmd: fc.constant('unsubscribe' as const),
		messageId: id,
		unsubscriptions: fc.array(topic, { minLength: 1 }),
	}),
	fc.constant<Packet>({ cmd: 'pingreq' }),
);

describe('the packet guard', () => {
	it('accepts valid packets, however they are cut into chunks', () => {
		fc.assert(
			fc.property(fc.array(anyPacket), anySizes, (packets, sizes) => {
				const guard = guardOf({}, () => true);
				const bytes = Buffer.concat([connectOf(), ...packets.map((one) => generate(one))]);
				expect(verdict(guard, bytes, sizes)).toBeUndefined();
				expect(guard.inPacket).toBe(false);
			}),
		);
	});

	it.each<[string, Buffer]>([
		['an empty client id with clean session 1', connectOf({ clientId: '' })],
		['the protocol of MQTT 3.1', connectOf({ name: 'MQIsdp', level: 3 })],
		['the highest bit of the level set, as bridges do', connectOf({ level: 0x84 })],
		['a will', connectOf({ flags: 0xf6, rest: [str('w'), Buffer.from([0, 0]), str('u'), str('p')] })],
		['no user name', connectOf({ flags: 0x02, rest: [] })],
		['characters beyond ASCII', connectOf({ clientId: 'Tür-😀\ufeff' })],
		['a password of any bytes', connectOf({ rest: [str('u'), str(Buffer.from([0, 0xff, 0xed, 0xa0]))] })],
	])('accepts a CONNECT with %s', (_what, connect) => {
		expect(verdict(guardOf(), connect)).toBeUndefined();
	});

	it('accepts an empty message, and one of the largest size', () => {
		const guard = guardOf({ publish: 303 });
		expect(verdict(guard, connectOf())).toBeUndefined();
		expect(verdict(guard, packetOf(0x30, str('t')))).toBeUndefined();
		expect(verdict(guard, packetOf(0x30, str('t'), Buffer.alloc(300)))).toBeUndefined();
	});

	it.each(MALFORMED_CONNECTS)('refuses $what by $statement, in any chunks', ({ statement, bytes, answer }) => {
		for (const size of [1, 2, 3, bytes.length]) {
			const rule = verdict(guardOf(), bytes, [size]);
			expect(rule?.statement).toBe(statement);
			expect(rule?.answer).toEqual(answer);
		}
	});

	it.each(MALFORMED_PACKETS)('refuses $what by $statement, in any chunks', ({ statement, bytes }) => {
		for (const sizes of [[1], [2], [3], [100_000]]) {
			const guard = guardOf();
			expect(
				verdict(guard, Buffer.concat([connectOf(), packetOf(0x30, str('t'), Buffer.alloc(50)), bytes]), sizes)
					?.statement,
			).toBe(statement);
		}
	});

	it('refuses a packet that is too large as soon as its header is complete', () => {
		for (const sizes of [[1000], [1]]) {
			const guard = guardOf({ publish: 303 });
			expect(verdict(guard, connectOf(), sizes)).toBeUndefined();
			expect(verdict(guard, packetOf(0x30, str('t'), Buffer.alloc(301)).subarray(0, 3), sizes)?.text).toMatch(
				/larger than the limit/,
			);
		}
	});
});

it('the packet guard never throws, and gives the same verdict whatever the chunks', () => {
	fc.assert(
		fc.property(fc.uint8Array({ maxLength: 200 }), anySizes, (bytes, sizes) => {
			const whole = verdict(guardOf(), Buffer.from(bytes));
			const cut = verdict(guardOf(), Buffer.from(bytes), sizes);
			expect(cut).toBe(whole);
		}),
	);
});
