import { describe, expect, it } from 'vitest';
import { ageText, numberText, quantityText, regionOf } from './format.ts';

describe('text for people', () => {
	it('has the digits and the decimal mark of the language', () => {
		expect(numberText('en', 1234.56, 1)).toBe('1,234.6');
		expect(numberText('it', 21.5, 1)).toBe('21,5');
	});

	it('never has a minus before zero', () => {
		expect(numberText('en', -0.04, 1)).toBe('0.0');
		expect(numberText('en', -0.06, 1)).toBe('-0.1');
	});

	it('has units as people write them, and unknown units unchanged', () => {
		expect(quantityText('en', 21.5, 'degC', 1)).toBe('21.5\u00a0°C');
		expect(quantityText('en', 12, 'person')).toBe('12');
		expect(quantityText('en', 40, 'Bq/m3')).toBe('40\u00a0Bq/m3');
		expect(quantityText('en', 1, 'constructor')).toBe('1\u00a0constructor');
	});

	it('has ages in the words of the language', () => {
		expect(ageText('en', 7, 'minute')).toMatch(/^7 min\.? ago$/);
		expect(ageText('it', 7, 'minute')).toMatch(/^7 min\.? fa$/);
	});

	it('follows the regional variant that the browser names', () => {
		expect(regionOf('en', ['it-IT', 'en-GB', 'en-US'])).toBe('en-GB');
		expect(regionOf('it', ['en-GB'])).toBe('it');
	});
});
