import { DOOR_EVENTS, METRIC_KEYS, reading, TIME_QUALITIES, TRANSPORTS } from '@crowdvision/contracts';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { buildingIdIn, type EncodableReading, ReadingEncoder } from './reading-encoder.ts';

const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
const time = fc.integer({ min: 946_684_800_000, max: 4_102_444_800_000 });
const readings: fc.Arbitrary<EncodableReading> = fc.record({
	sensorId: fc.constantFrom('a', 'b', 'door-3', 'x:1.y_2'),
	metric: fc.constantFrom(...METRIC_KEYS),
	value: fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0),
	unit: fc.constantFrom('person', '%', 'ug/m3'),
	buildingId: fc.constantFrom('b1', 'Süd', '本館'),
	roomId: fc.constantFrom('hall', 'Sala 1', "l'aula"),
	observedAt: time,
	receivedAt: time,
	transport: fc.constantFrom(...TRANSPORTS),
	timeQuality: fc.constantFrom(...TIME_QUALITIES),
	freshFor: fc.constantFrom(300_000, 840_000),
	seq: maybe(fc.maxSafeNat()),
	boot: maybe(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 64 })),
	uptime: maybe(fc.nat()),
	deviceTime: maybe(fc.oneof(fc.string(), fc.integer())),
	counted: maybe(
		fc.record(
			{
				crossings: fc.record(
					{
						in: fc.nat(),
						out: fc.nat(),
						totalIn: fc.maxSafeNat(),
						totalOut: fc.maxSafeNat(),
						detected: fc.constantFrom(...DOOR_EVENTS),
						clamped: fc.nat(),
					},
					{ requiredKeys: ['in', 'out'] },
				),
				interval: fc.record({ low: fc.nat(), high: fc.nat() }),
				adjustment: fc.record(
					{
						kind: fc.constantFrom('zeroing', 'correction'),
						before: fc.nat(),
						reason: fc.constantFrom('nightly', 'quiet'),
						due: time,
					},
					{ requiredKeys: ['kind', 'before'] },
				),
			},
			{ requiredKeys: ['interval'] },
		),
	),
	era: maybe(fc.nat()),
});

it('the encoder writes every reading as JSON with the same content, whatever it wrote before', () => {
	fc.assert(
		fc.property(fc.array(readings, { minLength: 1, maxLength: 30 }), (sequence) => {
			const encoder = new ReadingEncoder('log', 'pi "north"');
			for (const [offset, one] of sequence.entries()) {
				const { counted, ...rest } = one;
				const json = encoder.encode(one, offset);
				expect(buildingIdIn(Buffer.from(json))).toBe(one.buildingId);
				const parsed: unknown = JSON.parse(json);
				expect(parsed).toEqual(
					JSON.parse(JSON.stringify({ ...rest, ...counted, id: `log-${offset}`, gatewayId: 'pi "north"' })),
				);
				expect(reading.problem(parsed)).toBeUndefined();
			}
		}),
	);
});
