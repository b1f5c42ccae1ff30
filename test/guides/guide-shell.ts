import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { ROOT } from '@crowdvision/testing/root';

/** A fenced block of commands: `sh`, or `sh server` for what keeps running in a terminal of its own. */
export interface Block {
	server: boolean;
	commands: string;
}

/** The blocks of commands of a page in docs/, in order. */
export function blocksOf(page: string): Block[] {
	const text = readFileSync(join(ROOT, 'docs', page), 'utf8');
	return [...text.matchAll(/^```sh( server)?\n([\s\S]*?)^```$/gm)].map(([, server, commands]) => ({
		server: server !== undefined,
		commands: commands!,
	}));
}

/** A terminal in which one block after the other is run. */
export interface GuideShell {
	/** Resolves with what the block printed. @throws with it, when a command fails. */
	run(commands: string): Promise<string>;
	close(): void;
}

const DONE = '@@ done';

export function openShell(cwd: string, env: NodeJS.ProcessEnv): GuideShell {
	const path = `${join(ROOT, 'node_modules', '.bin')}${delimiter}${process.env.PATH}`;
	const shell = spawn('bash', ['-e', '-o', 'pipefail'], {
		cwd,
		env: { ...process.env, ...env, PATH: path },
		stdio: ['pipe', 'pipe', 'pipe'],
	});
	let output = '';
	let heard: () => void = () => undefined;
	let ended = false;
	for (const stream of [shell.stdout, shell.stderr]) {
		stream.setEncoding('utf8').on('data', (chunk: string) => {
			output += chunk;
			heard();
		});
	}
	shell.on('close', () => {
		ended = true;
		heard();
	});
	return {
		run(commands) {
			output = '';
			shell.stdin.write(`${commands}\necho '${DONE}'\n`);
			return new Promise((resolve, reject) => {
				heard = () => {
					if (output.includes(`${DONE}\n`)) resolve(output.slice(0, output.indexOf(DONE)).trim());
					else if (ended) reject(new Error(`a command failed:\n${commands}\n--- it said\n${output}`));
				};
				heard();
			});
		},
		close: () => void shell.kill('SIGKILL'),
	};
}
