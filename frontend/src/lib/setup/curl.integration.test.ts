import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { firstReadingCurl } from './curl.ts';

describe('the command for the first reading', () => {
	it('reaches curl unchanged through a shell, whatever the rooms are called', () => {
		const command = firstReadingCurl('http://127.0.0.1:8080', 'a.b.c', "b'1", 'the "hall" $HOME `id` \\');
		const words = execFileSync(
			'sh',
			['-c', `curl() { for word in "$@"; do printf '%s\\0' "$word"; done; }; ${command}`],
			{
				encoding: 'utf8',
			},
		).split('\0');
		expect(words.slice(0, 3)).toEqual(['-X', 'POST', 'http://127.0.0.1:8080/ingest']);
		expect(words).toContain('Authorization: Bearer a.b.c');
		expect(JSON.parse(words[words.indexOf('-d') + 1]!)).toEqual({
			sensorId: 'door-1',
			metric: 'peopleCount',
			value: 23,
			buildingId: "b'1",
			roomId: 'the "hall" $HOME `id` \\',
		});
	});
});
