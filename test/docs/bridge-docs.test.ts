import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { GatewayFile } from '@crowdvision/edge-gateway';
import { ROOT } from '@crowdvision/testing/root';
import { describe, expect, it } from 'vitest';

const MANUAL = '/usr/share/man/man5/mosquitto.conf.5.gz';
const page = readFileSync(join(ROOT, 'docs', 'bridge.md'), 'utf8');
const rows = [...page.matchAll(/^\| `([a-z_]+)` \|(.*?)\| (.+) \|$/gm)].map(([, theirs, ours, verdict]) => ({
	theirs: theirs!,
	ours: ours!.trim(),
	verdict: verdict!,
}));

describe('the table of bridge options', () => {
	it('says for each option whether we have it', () => {
		expect(rows.length).toBeGreaterThan(30);
		for (const { theirs, ours, verdict } of rows) {
			expect(verdict, theirs).toMatch(/^(have|differently: |deliberately not: )/);
			expect(ours === '', theirs).toBe(verdict.startsWith('deliberately not'));
		}
	});

	it('names only options of ours that exist', () => {
		const { bridges } = GatewayFile.properties as unknown as {
			bridges: { items: { properties: Record<string, { properties?: Record<string, unknown> }> } };
		};
		const known = new Set(
			Object.entries(bridges.items.properties).flatMap(([key, { properties = {} }]) => [
				key,
				...Object.keys(properties).map((inner) => `${key}.${inner}`),
			]),
		);
		const named = rows.flatMap(({ ours }) => [...ours.matchAll(/`([^`]+)`/g)].map(([, name]) => name!));
		expect(named.filter((name) => !known.has(name))).toEqual([]);
	});

	it.runIf(existsSync(MANUAL))("has every option of Mosquitto's manual", () => {
		const manual = gunzipSync(readFileSync(MANUAL)).toString();
		const chapter = manual.slice(manual.indexOf('.SH "CONFIGURING BRIDGES"'), manual.indexOf('.SH "FILES"'));
		const heads = [...chapter.matchAll(/^\.PP\n(\\fB[a-z_]+\\fR.*)$/gm)].flatMap(([, head]) =>
			[...head!.matchAll(/\\fB([a-z_]+)\\fR/g)].map(([, name]) => name!),
		);
		expect(heads.length).toBeGreaterThan(30);
		expect([...new Set(heads)].sort()).toEqual(rows.map(({ theirs }) => theirs).sort());
	});
});
