import { describe, expect, it, onTestFinished } from 'vitest';
import { startStandalone } from './standalone.ts';

describe('P14 HOST', () => {
	it.each([
		['::', '[::1]', ['127.0.0.1', '[::1]']],
		['::1', '[::1]', ['[::1]']],
		['[::1]', '[::1]', ['[::1]']],
		['0.0.0.0', '127.0.0.1', ['127.0.0.1']],
		['localhost', 'localhost', ['localhost']],
	])('%s is listened on, and what is printed leads there', async (HOST, printed, reached) => {
		const whole = await startStandalone({ HOST });
		onTestFinished(() => whole.stop());
		expect(new URL(whole.http).host).toBe(`${printed}:${new URL(whole.http).port}`);
		for (const host of reached) {
			const answer = await fetch(`http://${host}:${new URL(whole.http).port}/healthz`);
			expect(answer.status, host).toBe(200);
		}
		for (const transport of ['http', 'mqtt', 'socket.io'] as const)
			expect(await whole.paste(whole.examples[transport]!), transport).not.toMatch(/error|refused|failed/i);
		expect((await whole.state()).cursor).toBeDefined();
	});

	it('opens the port, but /metrics only to this machine or with METRICS_TOKEN', async () => {
		const METRICS_TOKEN = 'a-token-for-Prometheus';
		const whole = await startStandalone({ HOST: '0.0.0.0', DEMO: '0', METRICS_TOKEN });
		onTestFinished(() => whole.stop());
		const status = async (headers: Record<string, string>) =>
			(await fetch(`${whole.http}/metrics`, { headers })).status;
		const away = { 'x-forwarded-for': '192.0.2.7' };
		expect(await status({})).toBe(200);
		expect(await status(away)).toBe(401);
		expect(await status({ ...away, authorization: `Bearer ${METRICS_TOKEN}` })).toBe(200);
		expect(await status({ ...away, authorization: 'Bearer another' })).toBe(401);
	});

	it('with a zone id is listened on, and printed as URLs have it', async () => {
		const whole = await startStandalone({ HOST: '::1%lo', DEMO: '0' });
		onTestFinished(() => whole.stop());
		const port = /:(\d+)$/.exec(whole.http)![1];
		expect(whole.http).toBe(`http://[::1%25lo]:${port}`);
		expect((await fetch(`http://[::1]:${port}/healthz`)).status).toBe(200);
	});
});
