import { VERDICTS, type Verdict } from '@crowdvision/contracts';
import { SettingsError } from '@crowdvision/service-kit';
import type { Explanation, Question } from '../why/explanation.ts';
import { askGateway, controlSocketPath } from './control-socket.ts';
import { whyFromFolder } from './why-from-folder.ts';

const WHY_USAGE =
	'why <sensor | topic | id> [--json]    what became of the messages of a sensor or device, of a topic, or of one reading';

const READING_ID = /^[0-9a-f]{12}-\d+$/;

/**
 * `npm run gateway -- why …`: asks the gateway that runs on this data folder, or reads the folder where none does.
 * Returns what to print.
 */
export async function why(dataDir: string, options: readonly string[]): Promise<string> {
	const asked = options.filter((option) => option !== '--json');
	const [about] = asked;
	if (about === undefined || about === '' || asked.length > 1)
		throw new SettingsError(`usage: npm run gateway -- ${WHY_USAGE}`);
	const question = questionOf(about);
	const answer = (await askGateway(
		controlSocketPath(dataDir),
		`/why?${new URLSearchParams(question as Record<string, string>)}`,
	)) as Explanation | undefined;
	const explained = answer ?? (await whyFromFolder(dataDir, question));
	if (options.includes('--json'))
		return `${JSON.stringify({ running: answer !== undefined, ...explained }, null, 2)}\n`;
	return told(about, explained, answer !== undefined);
}

/** An id has the form of one, a topic has levels, and everything else is a sensor or a device. */
function questionOf(about: string): Question {
	if (READING_ID.test(about)) return { id: about };
	return about.includes('/') || about.includes('#') || about === '+' ? { topic: about } : { sensor: about };
}

function told(about: string, { verdict, text, hint, troubles, messages }: Explanation, running: boolean): string {
	const lines = running ? [] : ['The gateway does not run here: this is what its folder says.', ''];
	lines.push(`${about}: ${spelled(verdict)}`, `  ${VERDICTS[verdict].means}`, `  ${text}`, `  What to do: ${hint}`);
	for (const trouble of troubles) lines.push(`  At this moment: ${trouble}`);
	const [newest, ...older] = messages;
	if (newest) {
		lines.push('', 'The newest, stage by stage:');
		for (const { stage, outcome, at, detail } of newest.stages) {
			lines.push(
				`  ${stage.padEnd(10)} ${outcome.padEnd(9)} ${[at === undefined ? undefined : new Date(at).toISOString(), detail].filter(Boolean).join('  ')}`.trimEnd(),
			);
		}
		if (newest.sample !== undefined) lines.push(`  what was sent: ${newest.sample}`);
	}
	if (older.length > 0) lines.push('', 'Before it:');
	for (const message of older) lines.push(`  ${spelled(message.verdict)}: ${message.text}`);
	return `${lines.join('\n')}\n`;
}

const spelled = (verdict: Verdict) => verdict.replaceAll('_', ' ');
