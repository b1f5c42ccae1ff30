import { resolve } from 'node:path';
import { SettingsError } from '@crowdvision/service-kit';
import type { DryRunReport, Outcome } from '../configuration/dry-run.ts';
import { readGatewayConfig } from '../configuration/gateway-config.ts';
import { askGateway, controlSocketPath } from './control-socket.ts';

/**
 * `npm run gateway -- dry-run FILE`: has the gateway that runs on this data folder try another gateway.yaml on the
 * messages it has recorded. Returns what to print.
 * @throws SettingsError for a file with mistakes, and where no gateway runs.
 */
export async function dryRun(env: NodeJS.ProcessEnv, options: readonly string[]): Promise<string> {
	const [file] = options;
	if (file === undefined || options.length > 1) throw new SettingsError('usage: npm run gateway -- dry-run FILE');
	const { dataDir } = readGatewayConfig({ ...env, GATEWAY_CONFIG: file });
	const report = await askGateway(
		controlSocketPath(dataDir),
		`/dry-run?${new URLSearchParams({ file: resolve(file) })}`,
	);
	if (report === undefined) {
		throw new SettingsError(
			`${file} is valid, but no gateway runs on ${dataDir} that could try it on the messages it has recorded`,
		);
	}
	return told(file, report as DryRunReport);
}

function told(file: string, { tried, same, changed, changes, before, after, leftOut }: DryRunReport): string {
	const lines = [
		`${file}, tried on the last ${tried} messages: ${same} come to the same, ${changed} to something else.`,
	];
	if (leftOut > 0) lines.push(`Of ${leftOut} more nothing can be said: it is not known who sent them.`);
	lines.push('', `  as it is       ${counts(before)}`, `  as it would be ${counts(after)}`);
	for (const change of changes) {
		lines.push(
			'',
			`${new Date(change.at).toISOString()}  ${change.source}${change.sender === undefined ? '' : `  from ${change.sender}`}`,
		);
		lines.push(`  ${change.sample}`, ...spelled('-', change.before), ...spelled('+', change.after));
	}
	if (changed > changes.length) lines.push('', `… and ${changed - changes.length} more`);
	return `${lines.join('\n')}\n`;
}

const counts = ({ readings, ignored, refused }: Record<Outcome['outcome'], number>) =>
	`${readings} taken, ${ignored} without a reading, ${refused} refused`;

function spelled(sign: '-' | '+', { outcome, readings = [], reason }: Outcome): string[] {
	if (outcome === 'readings') return readings.map((reading) => `  ${sign} ${reading}`);
	return [`  ${sign} ${outcome}: ${reason}`];
}
