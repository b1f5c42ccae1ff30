import { readdirSync, readFileSync } from 'node:fs';
import { ALERT_STATES, ERRORS, SEVERITIES } from '@crowdvision/contracts';
import { describe, expect, it } from 'vitest';
import { en } from './en.ts';
import { chooseLocale } from './index.ts';
import { it as italian } from './it.ts';

function flatten(messages: object, prefix = ''): Map<string, string> {
	const entries = Object.entries(messages).flatMap(([key, value]): [string, string][] =>
		typeof value === 'string' ? [[prefix + key, value]] : [...flatten(value, `${prefix}${key}.`)],
	);
	return new Map(entries);
}

const english = flatten(en);

function sources(): string {
	const folder = new URL('..', import.meta.url);
	return readdirSync(folder, { recursive: true, encoding: 'utf8' })
		.filter((name) => /\.(vue|ts)$/.test(name) && !name.endsWith('.test.ts'))
		.map((name) => readFileSync(new URL(name, folder), 'utf8'))
		.join('\n');
}

describe('the texts of the page', () => {
	it('have the same keys, placeholders and plural forms in every language', () => {
		const other = flatten(italian);
		expect([...other.keys()]).toEqual([...english.keys()]);
		const shape = (text: string) => text.split('|').map((form) => (form.match(/\{\w+\}/g) ?? []).sort());
		for (const [key, text] of english) expect(shape(other.get(key) ?? ''), key).toEqual(shape(text));
	});

	it('include every key that the page uses', () => {
		const used = [...sources().matchAll(/\bt\(\s*'([\w.-]+)'/g)].map(([, key]) => key!);
		expect(used.length).toBeGreaterThan(30);
		for (const key of used) expect(english.has(key), key).toBe(true);
	});

	it('include no key that the page does not use', () => {
		const text = sources();
		const families = [...text.matchAll(/`([\w.]+)\.\$\{/g)].map(([, family]) => `${family}.`);
		for (const key of english.keys())
			expect(text.includes(`'${key}'`) || families.some((family) => key.startsWith(family)), key).toBe(true);
	});

	it('name every alert state, severity and error that a page can receive', () => {
		for (const state of ALERT_STATES) expect(english.has(`alerts.state.${state}`), state).toBe(true);
		for (const severity of SEVERITIES) expect(english.has(`alerts.severity.${severity}`), severity).toBe(true);
		const forDevices = [
			'invalid_reading',
			'no_value',
			'unknown_sensor',
			'not_decoded',
			'not_admitted',
			'unsupported_media_type',
			'method_not_allowed',
		];
		for (const code of Object.keys(ERRORS))
			expect(english.has(`errors.${code}`) || forDevices.includes(code), code).toBe(true);
	});

	it('are in the first language of the browser that the page has, else in English', () => {
		expect(chooseLocale(['de-DE', 'it-CH', 'en'])).toBe('it');
		expect(chooseLocale(['en-US', 'it'])).toBe('en');
		expect(chooseLocale(['fr'])).toBe('en');
		expect(chooseLocale([])).toBe('en');
	});
});
