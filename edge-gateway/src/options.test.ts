import Type from 'typebox';
import { describe, expect, it } from 'vitest';
import { GatewayFile } from './configuration/gateway-file.ts';
import { bytes, Duration, durationText, milliseconds, sizeText } from './measures.ts';
import { filled, option, withoutDefault } from './options.ts';

const Section = Type.Object({
	count: option(Type.Integer({ minimum: 0 }), 5, 'how many'),
	every: option(Duration, '10m', 'how often'),
	name: withoutDefault(Type.String(), 'what it is called'),
});

describe('options of gateway.yaml', () => {
	it('have the default of their declaration where the file leaves them out', () => {
		expect(filled(Section, undefined)).toEqual({ count: 5, every: '10m' });
		expect(filled(Section, { count: 0, name: 'a' })).toEqual({ count: 0, every: '10m', name: 'a' });
	});

	it('state their purpose beside the pattern that says what is allowed', () => {
		expect(Section.properties.count).toMatchObject({ description: 'how many', default: 5 });
		expect(Section.properties.every).toMatchObject({
			title: 'how often',
			description: 'a duration such as 7d or 250ms',
		});
	});

	it('never repeat a default in words', () => {
		const told: string[] = [];
		const visit = (schema: unknown): void => {
			if (typeof schema !== 'object' || schema === null) return;
			const { description = '', default: value } = schema as { description?: unknown; default?: unknown };
			if (value !== undefined && typeof description === 'string' && /default/i.test(description))
				told.push(description);
			for (const inner of Object.values(schema)) visit(inner);
		};
		visit(GatewayFile);
		expect(told).toEqual([]);
	});
});

describe('sizes and durations', () => {
	it.each(['1B', '400B', '256KiB', '1MiB', '64MiB', '3GiB'])('write %s as it is read', (text) => {
		expect(sizeText(bytes(text))).toBe(text);
	});

	it.each(['250ms', '10s', '10m', '36h', '7d'])('write %s as it is read', (text) => {
		expect(durationText(milliseconds(text))).toBe(text);
	});
});
