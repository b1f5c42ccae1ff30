import { parseArgs } from 'node:util';
import { PLATFORM, tenantOf, VERDICTS, type Verdict } from '@crowdvision/contracts';
import { askControlSocket, SettingsError } from '@crowdvision/service-kit';
import type { Explanation, Question } from '../why/explanation.ts';
import { controlSocketPath } from './control-path.ts';
import { whyOffline } from './why-offline.ts';

const USAGE =
	'usage: npm run gateway -- why <sensor | topic | id> [--domain NAME] [--json]\n' +
	'what became of the messages of a sensor or device, of a topic, or of one reading; with --domain: of those of ' +
	'this domain only';
const READING_ID = /^[0-9a-f]{12}-\d+$/;

/**
 * `npm run gateway -- why …`: what became of messages. Asks the gateway that runs on this data folder; if none does,
 * reads the folder. Returns the text to print.
 * @throws SettingsError for wrong options, or with the gateway's message
 */
export async function why(dataDir: string, options: readonly string[]): Promise<string> {
	const { subject, domain, json } = asked(options);
	const question = questionOf(subject);
	const query = new URLSearchParams({ ...question, ...(domain !== undefined && { domain }) } as Record<string, string>);
	const answer = (await askControlSocket(controlSocketPath(dataDir), `/why?${query}`)) as Explanation | undefined;
	const explanation = answer ?? (await whyOffline(dataDir, question, domain));
	if (json) return `${JSON.stringify({ running: answer !== undefined, ...explanation }, null, 2)}\n`;
	return textOf(subject, explanation, answer !== undefined);
}

function asked(options: readonly string[]): { subject: string; domain: string | undefined; json: boolean } {
	try {
		const { positionals, values } = parseArgs({
			args: [...options],
			options: { domain: { type: 'string' }, json: { type: 'boolean', default: false } },
			allowPositionals: true,
		});
		const [subject] = positionals;
		if (subject && positionals.length === 1 && values.domain !== '')
			return { subject, domain: values.domain, json: values.json };
	} catch {
		// An unknown option, or one without its value.
	}
	throw new SettingsError(USAGE);
}

/** An id has its own form, a topic has levels or wildcards, and everything else names a sensor or a device. */
function questionOf(subject: string): Question {
	if (READING_ID.test(subject)) return { id: subject };
	return subject.includes('/') || subject.includes('#') || subject === '+' ? { topic: subject } : { sensor: subject };
}

function textOf(subject: string, { verdict, text, hint, troubles, messages }: Explanation, isRunning: boolean): string {
	const lines = isRunning ? [] : ['The gateway does not run here: this is what its data folder holds.', ''];
	lines.push(`${subject}: ${words(verdict)}`, `  ${VERDICTS[verdict].means}`, `  ${text}`, `  What to do: ${hint}`);
	for (const trouble of troubles) lines.push(`  At this moment: ${trouble}`);
	const tenants = new Set(messages.flatMap(({ domains }) => domains.filter((name) => name !== PLATFORM).map(tenantOf)));
	if (tenants.size > 1)
		lines.push(`  Several domains have it: ${[...tenants].sort().join(', ')}. Ask for one of them with --domain.`);
	const [newest, ...older] = messages;
	if (newest) {
		lines.push('', 'The newest message, stage by stage:');
		for (const { stage, outcome, at, detail } of newest.stages) {
			const more = [at === undefined ? undefined : new Date(at).toISOString(), detail].filter(Boolean).join('  ');
			lines.push(`  ${stage.padEnd(10)} ${outcome.padEnd(9)} ${more}`.trimEnd());
		}
		if (newest.sample !== undefined) lines.push(`  what was sent: ${newest.sample}`);
	}
	if (older.length > 0) lines.push('', 'Before it:');
	for (const message of older) lines.push(`  ${words(message.verdict)}: ${message.text}`);
	return `${lines.join('\n')}\n`;
}

const words = (verdict: Verdict) => verdict.replaceAll('_', ' ');
