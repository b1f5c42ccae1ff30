import type { Alert } from '@crowdvision/contracts';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { ApiError } from '../../api/http.ts';
import { mount } from '../../testing/mount.ts';
import { useWords } from './use-words.ts';

beforeEach(() => {
	vi.stubGlobal('navigator', { languages: ['en-GB', 'it-IT'] });
	onTestFinished(() => void vi.unstubAllGlobals());
});

const alert = (over: Partial<Alert>): Alert => ({
	id: 'a',
	domainNames: ['demo'],
	buildingId: 'b',
	kind: 'occupancy',
	severity: 'critical',
	state: 'open',
	observedAt: 0,
	message: 'as the service says it',
	...over,
});

describe('the words of the page', () => {
	it('follow the language while the page is open', () => {
		const { result: words, locale } = mount(useWords);
		const spoken = () => [words.number(1234.5, 1), words.metricLabel('peopleCount'), words.age(0, 500)];
		expect(spoken()).toEqual(['1,234.5', 'People', 'just now']);
		locale.value = 'it';
		expect(spoken()).toEqual(['1234,5', 'Persone', 'adesso']);
	});

	it('write a value with the digits of its metric, and a metric that is not in the catalog by its key', () => {
		const { result: words } = mount(useWords);
		expect(words.quantity('temperature', 21.46, 'degC')).toBe('21.5\u00a0°C');
		expect(words.quantity('peopleCount', 12, 'person')).toBe('12');
		expect(words.quantity('radon', 40, 'Bq/m3')).toBe('40.0\u00a0Bq/m3');
		expect(words.metricLabel('radon')).toBe('radon');
		expect(words.metricLabel('constructor')).toBe('constructor');
	});

	it('say what an alert is about in the reader’s language, and use its own message for another kind', () => {
		const { result: words, locale } = mount(useWords);
		const occupancy = alert({ value: 13, limit: 10 });
		expect(words.alert(occupancy, 'Hall')).toBe('Hall: 13 people, limit 10');
		locale.value = 'it';
		expect(words.alert(occupancy, 'Hall')).toBe('Hall: 13 persone, limite 10');
		expect(words.alert(alert({ kind: 'temperature', value: 31.5, limit: 30 }), 'Hall')).toBe(
			'Hall: 31,5\u00a0°C, limite 30,0\u00a0°C',
		);
		expect(words.alert(alert({}), 'Hall')).toBe('as the service says it');
		expect(words.alert(alert({ kind: 'noise', value: 80, limit: 70 } as object), 'Hall')).toBe(
			'as the service says it',
		);
	});

	it('say what went wrong and what to do, with the details of the service where they help', () => {
		const { result: words, locale } = mount(useWords);
		expect(words.error(new ApiError('network', 'internal'))).toMatch(/^The server cannot be reached\. Check/);
		expect(words.error(new ApiError('invalid', '/rooms is required'))).toBe(
			'The server refused this. /rooms is required',
		);
		expect(words.error(new TypeError('x is not a function'))).toBe('Something went wrong. Try again.');
		locale.value = 'it';
		expect(words.error(new ApiError('forbidden', 'Your role does not allow this'))).toBe(
			'Il tuo ruolo non lo consente.',
		);
	});

	it('use the message of the service for a code that the page does not know', () => {
		const { result: words } = mount(useWords);
		expect(words.error(new ApiError('not_admitted', 'This device was replaced'))).toBe('This device was replaced');
		expect(words.error(new ApiError('not_admitted', ''))).toBe('Something went wrong. Try again.');
	});
});
