import { expect, it } from 'vitest';
import { Seal } from './sealed.ts';

it('opens a sealed secret only with the same key and label, and only unaltered', () => {
	const seal = new Seal('a secret of more than thirty-two characters');
	const sealed = seal.seal('invite museum business_staff', 'GEZDGNBVGY3TQOJQ');
	expect(sealed).not.toContain('GEZDGNBVGY3TQOJQ');
	expect(seal.open('invite museum business_staff', sealed)).toBe('GEZDGNBVGY3TQOJQ');
	expect(seal.seal('invite museum business_staff', 'GEZDGNBVGY3TQOJQ')).not.toBe(sealed);
	expect(() => seal.open('invite museum business_admin', sealed)).toThrow('AUTH_KEY');
	expect(() =>
		new Seal('another secret of more than 32 characters').open('invite museum business_staff', sealed),
	).toThrow('AUTH_KEY');
	expect(() => seal.open('invite museum business_staff', `${sealed.slice(0, -2)}AA`)).toThrow('AUTH_KEY');
});
