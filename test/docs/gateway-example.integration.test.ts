import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GatewayFile } from '@crowdvision/edge-gateway';
import { ROOT } from '@crowdvision/testing/root';
import { expect, it, onTestFinished } from 'vitest';

const EXAMPLE = readFileSync(join(ROOT, 'docs', 'gateway.example.yaml'), 'utf8');

interface Schema {
	properties?: Record<string, Schema>;
	items?: Schema;
	anyOf?: Schema[];
}

/** The names of all options, at whatever depth. */
function namesOf(schema: Schema): string[] {
	const inner = [
		...Object.values(schema.properties ?? {}),
		...(schema.anyOf ?? []),
		...(schema.items ? [schema.items] : []),
	];
	return [...Object.keys(schema.properties ?? {}), ...inner.flatMap(namesOf)];
}

function check(yaml: string): { status: number | null; output: string } {
	const dir = mkdtempSync(join(tmpdir(), 'crowdvision-example-'));
	onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
	const file = join(dir, 'gateway.yaml');
	writeFileSync(file, yaml);
	const env = { ...process.env, GATEWAY_CONFIG: file, DATA_DIR: join(dir, 'data') };
	const { status, stdout, stderr } = spawnSync(process.execPath, [join(ROOT, 'edge-gateway/src/main.ts'), 'check'], {
		env,
		cwd: dir,
		encoding: 'utf8',
	});
	return { status, output: `${stdout}${stderr}`.replaceAll(dir, '') };
}

it('the example gateway.yaml names every option', () => {
	for (const name of namesOf(GatewayFile as Schema)) expect(EXAMPLE).toMatch(new RegExp(`\\b${name}:( |$)`, 'm'));
});

it('the example gateway.yaml is valid as it stands, and with every option uncommented', () => {
	expect(check(EXAMPLE)).toEqual({ status: 0, output: 'the configuration is valid\n' });
	const everything = EXAMPLE.replace(/^# /gm, '');
	expect(everything).toMatch(/^sources:$/m);
	expect(check(everything)).toEqual({ status: 0, output: 'the configuration is valid\n' });
});
