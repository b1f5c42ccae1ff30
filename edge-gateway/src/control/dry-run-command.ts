import { resolve } from 'node:path';
import { askControlSocket, SettingsError } from '@crowdvision/service-kit';
import type { DryRunReport, Outcome } from '../configuration/dry-run.ts';
import { readGatewayConfig } from '../configuration/gateway-config.ts';
import { controlSocketPath } from './control-path.ts';

/**
 * `npm run gateway -- dry-run FILE`: asks the running gateway to try another gateway.yaml on the messages it has
 * recorded. Returns the text to print.
 * @throws SettingsError if the file has mistakes, or no gateway runs
 */
export async function dryRun(env: NodeJS.ProcessEnv, options: readonly string[]): Promise<string> {
	const [file] = options;
	if (file === undefined || options.length > 1) throw new SettingsError('usage: npm run gateway -- dry-run FILE');
	const { dataDir } = readGatewayConfig({ ...env, GATEWAY_CONFIG: file });
	const query = new URLSearchParams({ file: resolve(file) });
	const report = await askControlSocket(controlSocketPath(dataDir), `/dry-run?${query}`);
	if (report === undefined) {
		throw new SettingsError(
			`${file} is valid, but no gateway runs on ${dataDir} that could try it on the messages it has recorded`,
		);
	}
	return reportText(file, report as DryRunReport);
}

function reportText(file: string, report: DryRunReport): string {
	const { tried, same, changed, changes, before, after, leftOut } = report;
	const lines = [`${file}, tried on the last ${tried} messages: ${same} have the same result, ${changed} another one.`];
	if (leftOut > 0) lines.push(`Left out: ${leftOut} messages whose sender is not known.`);
	lines.push('', `  as it is       ${counts(before)}`, `  as it would be ${counts(after)}`);
	for (const { at, source, sender, sample, before: was, after: willBe } of changes) {
		const from = sender === undefined ? '' : `  from ${sender}`;
		lines.push('', `${new Date(at).toISOString()}  ${source}${from}`, `  ${sample}`);
		lines.push(...outcomeLines('-', was), ...outcomeLines('+', willBe));
	}
	if (changed > changes.length) lines.push('', `… and ${changed - changes.length} more`);
	return `${lines.join('\n')}\n`;
}

const counts = ({ readings, ignored, refused }: Record<Outcome['outcome'], number>) =>
	`${readings} taken, ${ignored} without a reading, ${refused} refused`;

function outcomeLines(sign: '-' | '+', { outcome, readings = [], reason }: Outcome): string[] {
	if (outcome === 'readings') return readings.map((reading) => `  ${sign} ${reading}`);
	return [`  ${sign} ${outcome}: ${reason}`];
}
