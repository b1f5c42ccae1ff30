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

describe('the languages', () => {
	it('say the same things with the same placeholders and the same plurals', () => {
		const other = flatten(italian);
		expect([...other.keys()]).toEqual([...english.keys()]);
		const shape = (text: string) => text.split('|').map((form) => (form.match(/\{\w+\}/g) ?? []).sort());
		for (const [key, text] of english) expect(shape(other.get(key) ?? ''), key).toEqual(shape(text));
	});

	it('have every key that the page asks for', () => {
		const asked = [...sources().matchAll(/\bt\(\s*'([\w.-]+)'/g)].map(([, key]) => key!);
		expect(asked.length).toBeGreaterThan(30);
		for (const key of asked) expect(english.has(key), key).toBe(true);
	});

	it('hold no key that the page never asks for', () => {
		const text = sources();
		const families = [...text.matchAll(/`([\w.]+)\.\$\{/g)].map(([, family]) => `${family}.`);
		for (const key of english.keys())
			expect(text.includes(`'${key}'`) || families.some((family) => key.startsWith(family)), key).toBe(true);
	});

	it('have a word for every state, severity and refusal a page can meet', () => {
		for (const state of ALERT_STATES) expect(english.has(`alerts.state.${state}`), state).toBe(true);
		for (const severity of SEVERITIES) expect(english.has(`alerts.severity.${severity}`), severity).toBe(true);
		const forDevices = [
			'invalid_reading',
			'unknown_sensor',
			'not_decoded',
			'not_admitted',
			'unsupported_media_type',
			'method_not_allowed',
		];
		for (const code of Object.keys(ERRORS))
			expect(english.has(`errors.${code}`) || forDevices.includes(code), code).toBe(true);
	});

	it('are chosen by the first one of the browser’s that the page speaks', () => {
		expect(chooseLocale(['de-DE', 'it-CH', 'en'])).toBe('it');
		expect(chooseLocale(['en-US', 'it'])).toBe('en');
		expect(chooseLocale(['fr'])).toBe('en');
		expect(chooseLocale([])).toBe('en');
	});
});
