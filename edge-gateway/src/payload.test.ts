import { expect, it } from 'vitest';
import { sampleOf } from './payload.ts';

const TOKEN = `eyJ${'a'.repeat(40)}.${'b'.repeat(400)}.${'c'.repeat(43)}`;

it('a sample of a payload never shows a token, nor the beginning of one that continues after it', () => {
	expect(sampleOf(Buffer.from(`HELLO door-3 ${TOKEN}`))).toBe('HELLO door-3 (token)');
	const torn = sampleOf(Buffer.from(`${'x'.repeat(200)} ${TOKEN} and more`));
	expect(torn).toBe(`${'x'.repeat(200)} (token) and more`);
	expect(sampleOf(Buffer.from('é'.repeat(4000)))).toBe('é'.repeat(128));
	expect(sampleOf(Buffer.from([0xfe, 0]))).toBe('hex fe00');
});
