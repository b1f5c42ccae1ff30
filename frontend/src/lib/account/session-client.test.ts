import { describe, expect, it } from 'vitest';
import { sessionClient } from './session-client.ts';

const MOZILLA = 'Mozilla/5.0';
const WEBKIT = 'AppleWebKit/537.36 (KHTML, like Gecko)';

describe('where a session is used', () => {
	it.each([
		[`${MOZILLA} (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0`, 'Firefox', 'Linux'],
		[`${MOZILLA} (Windows NT 10.0; Win64; x64) ${WEBKIT} Chrome/126.0.0.0 Safari/537.36`, 'Chrome', 'Windows'],
		[`${MOZILLA} (Windows NT 10.0) ${WEBKIT} Chrome/126.0.0.0 Safari/537.36 Edg/126.0.0.0`, 'Edge', 'Windows'],
		[`${MOZILLA} (Linux; Android 14; K) ${WEBKIT} Chrome/126.0.0.0 Mobile Safari/537.36`, 'Chrome', 'Android'],
		[`${MOZILLA} (Linux; Android 13) ${WEBKIT} SamsungBrowser/25.0 Chrome/121.0`, 'Samsung Internet', 'Android'],
		[
			`${MOZILLA} (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1 Version/17.5 Mobile/15E Safari/604.1`,
			'Safari',
			'iPhone',
		],
		[`${MOZILLA} (Macintosh; Intel Mac OS X 14_5) ${WEBKIT} Chrome/126.0 Safari/537.36 OPR/111.0`, 'Opera', 'macOS'],
		[`${MOZILLA} (X11; Linux aarch64) ${WEBKIT} HeadlessChrome/126.0 Safari/537.36`, 'Chrome', 'Linux'],
		['curl/8.7.1', 'curl', undefined],
		['python-requests/2.32', 'Python', undefined],
		['node', 'Node.js', undefined],
		['something else', undefined, undefined],
		[undefined, undefined, undefined],
	])('%s is %s on %s', (userAgent, browser, system) => {
		expect(sessionClient(userAgent)).toEqual({ browser, system });
	});
});
