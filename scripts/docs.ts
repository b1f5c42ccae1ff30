/**
 * Writes the pages of docs/ that are made from the code: settings, errors, metrics, the JSON Schemas of gateway.yaml
 * and of a building JSON, and the API documents.
 * `node scripts/docs.ts --check` only says which of them are not up to date, and exits 1 if any is.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Building, ERRORS, METRICS } from '@crowdvision/contracts';
import { GatewayFile } from '@crowdvision/edge-gateway';
import type { Setting } from '@crowdvision/service-kit';
import { SETTINGS } from '../settings.ts';
import { asyncApi } from './api/asyncapi.ts';
import { openApi } from './api/openapi.ts';
import { apiPage } from './api/page.ts';
import { gatewayExample } from './gateway-example.ts';

const NOTICE = '<!-- Made by `node scripts/docs.ts`. Do not edit. -->\n';
const DOCS = join(import.meta.dirname, '..', 'docs');

function table(head: string[], rows: string[][]): string {
	const line = (cells: string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
	return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

const page = (title: string, introduction: string, body: string) =>
	`# ${title}\n\n${NOTICE}\n${introduction}\n\n${body}\n`;

function settingsPage(): string {
	const rows = Object.entries(SETTINGS as Record<string, Setting<unknown>>).map(([name, setting]) => [
		`\`${name}\``,
		setting.default === undefined ? '' : `\`${setting.default}\``,
		setting.allowed,
		`${setting.means}${setting.inFile ? `; or \`${name}_FILE\`: a file that holds it` : ''}`,
	]);
	return page(
		'Settings',
		'Each is an environment variable, checked at the start: a bad one names itself, what it was and what is allowed, ' +
			'and nothing is opened.',
		table(['name', 'default', 'must be', 'for'], rows),
	);
}

function errorsPage(): string {
	const rows = Object.entries(ERRORS).map(([code, { status, means, todo }]) => [
		`\`${code}\``,
		String(status),
		means,
		todo,
	]);
	return page(
		'Errors',
		'Every error of every service is `{"error":{"code","message",…}}`; where it helps, with `path` (JSON Pointer), ' +
			'`index` (place in the batch), `problems` and `requestId`.',
		table(['code', 'HTTP', 'means', 'what to do'], rows),
	);
}

function metricsPage(): string {
	const rows = Object.entries(
		METRICS as Record<string, { unit: string; min: number; max: number; accepts?: object }>,
	).map(([key, metric]) => [
		`\`${key}\``,
		metric.unit,
		`${metric.min} to ${metric.max}`,
		Object.keys(metric.accepts ?? {}).join(' '),
	]);
	return page(
		'Metrics',
		'A value outside the hard range is refused. Units in the last column are converted.',
		table(['key', 'unit', 'hard range', 'also accepted'], rows),
	);
}

const VERSION = (JSON.parse(readFileSync(join(DOCS, '..', 'package.json'), 'utf8')) as { version: string }).version;
/** As it is read back: what JSON does not know is gone. */
const json = (document: unknown) => `${JSON.stringify(document, null, '\t')}\n`;

/** A JSON Schema as a file of its own. */
const schemaFile = (title: string, schema: object) =>
	json({ $schema: 'https://json-schema.org/draft/2020-12/schema', title, ...schema });

/** Options of gateway.yaml that cannot stand beside the one before them. */
const INSTEAD = new Set([
	'sources.serial.glob',
	'sources.serial.usb',
	'decoders.contentType',
	'decoders.path',
	'decoders.codec',
	'decoders.fPort',
	'decoders.variables',
	'decoders.rename',
	...['urls', 'passwordFile', 'token', 'tokenFile', 'lazy', 'schedule'].map((key) => `bridges.${key}`),
]);

const PAGES: Record<string, () => string> = {
	'settings.md': settingsPage,
	'errors.md': errorsPage,
	'metrics.md': metricsPage,
	'gateway.schema.json': () => schemaFile('gateway.yaml', GatewayFile),
	'building.schema.json': () => schemaFile('building JSON', Building),
	'gateway.example.yaml': () => gatewayExample(JSON.parse(json(GatewayFile)), INSTEAD),
	'api/openapi.json': () => json(openApi(VERSION)),
	'api/asyncapi.json': () => json(asyncApi(VERSION)),
	// Again among the files served below /docs, so that docs/building.schema.json is its path there too.
	'api/building.schema.json': () => schemaFile('building JSON', Building),
	'api/index.html': () => apiPage(JSON.parse(json(openApi(VERSION))), JSON.parse(json(asyncApi(VERSION)))),
};

const checking = process.argv.includes('--check');
let stale = 0;
for (const [name, make] of Object.entries(PAGES)) {
	const path = join(DOCS, name);
	const text = make();
	if (existsSync(path) && readFileSync(path, 'utf8') === text) continue;
	if (checking) {
		stale++;
		process.stdout.write(`docs/${name} is not up to date; run: node scripts/docs.ts\n`);
	} else {
		mkdirSync(dirname(path), { recursive: true });
		writeFileSync(path, text);
		process.stdout.write(`docs/${name} written\n`);
	}
}
process.exitCode = stale > 0 ? 1 : 0;
