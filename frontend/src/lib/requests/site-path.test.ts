import { describe, expect, it } from 'vitest';
import { basePath, sitePath } from './site-path.ts';

describe('P14 an address of the installation', () => {
	it.each([
		['https://crowd.example/', '/auth/me'],
		['https://example.org/crowd/?building=b1&view=room', '/crowd/auth/me'],
		['http://127.0.0.1:8080/a/b/index.html#main', '/a/b/auth/me'],
	])('is below the path of the page: %s', (page, path) => {
		expect(sitePath('/auth/me', basePath(page))).toBe(path);
	});

	it('keeps escaped characters and the query', () => {
		const path = '/twin/buildings/a%2Fb/history?room=1' as const;
		expect(sitePath(path, '/crowd/')).toBe('/crowd/twin/buildings/a%2Fb/history?room=1');
	});
});
