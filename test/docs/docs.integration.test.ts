import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '@crowdvision/testing/root';
import { expect, it } from 'vitest';
import { DEMO_BUILDING, VISITOR_ROOM } from '../../demo/building.ts';
import { examples } from '../../demo/examples.ts';

it('the generated pages are up to date', () => {
	const { status, stdout } = spawnSync(process.execPath, ['scripts/docs.ts', '--check'], {
		cwd: ROOT,
		encoding: 'utf8',
	});
	expect(stdout).toBe('');
	expect(status).toBe(0);
});

it('the README shows the same example for each way in as npm start prints', () => {
	const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
	const lines = examples({
		http: 'http://127.0.0.1:8080',
		mqtt: 'mqtt://127.0.0.1:1883',
		dataDir: 'data',
		deviceId: 'demo-device',
		serial: join(process.cwd(), 'data/serial/try'),
	});
	for (const line of lines.filter((text) => text.startsWith('  '))) expect(readme).toContain(line.trim());
	expect(DEMO_BUILDING.rooms.map(({ id }) => id)).toContain(VISITOR_ROOM);
});
