import { describe, expect, it } from 'vitest';
import { useSubmit } from './use-submit.ts';

describe('a form', () => {
	it('sends once at a time, and again after the answer', async () => {
		const sent: ((value?: unknown) => void)[] = [];
		const form = useSubmit(() => new Promise((resolve) => sent.push(resolve)));
		const first = form.submit();
		expect([form.busy.value, await form.submit(), sent.length]).toEqual([true, false, 1]);
		sent[0]!();
		expect([await first, form.busy.value]).toEqual([true, false]);
		void form.submit();
		expect(sent.length).toBe(2);
	});

	it('keeps the error of a refused request until the next one is sent', async () => {
		const refusal = new Error('no');
		let fails = true;
		const form = useSubmit(async (_word: string) => {
			if (fails) throw refusal;
		});
		expect(await form.submit('a')).toBe(false);
		expect(form.error.value).toBe(refusal);
		fails = false;
		expect(await form.submit('a')).toBe(true);
		expect(form.error.value).toBeUndefined();
	});
});
