import { execFile, spawnSync } from 'node:child_process';
import { promisify } from 'node:util';
import { ROOT } from '@crowdvision/testing/root';

const execute = promisify(execFile);

/** `docker compose`, else the older `docker-compose`; undefined where there is neither. COMPOSE names another. */
export function composeCommand(): string[] | undefined {
	const candidates = process.env.COMPOSE
		? [process.env.COMPOSE.split(' ')]
		: [['docker', 'compose'], ['docker-compose']];
	return candidates.find(
		([program, ...args]) => spawnSync(program!, [...args, 'version'], { stdio: 'ignore' }).status === 0,
	);
}

/** Runs a command of Docker; resolves with what it printed. @throws with everything it printed. */
export function docker(...args: string[]): Promise<string> {
	return run(['docker', ...args], 120_000);
}

/**
 * Runs a command of compose on the project that the environment names (scripts/compose.ts), whatever a file .env says:
 * of the one given, every line is a comment.
 * @throws with everything it printed.
 */
export function compose(args: readonly string[], timeoutMs = 120_000): Promise<string> {
	const project = process.env.COMPOSE_PROJECT;
	const command = composeCommand();
	if (!project || !command) throw new Error('this is started by npm run test:compose');
	return run([...command, '--env-file', 'deploy/env.example', '-p', project, ...args], timeoutMs);
}

async function run([program, ...args]: string[], timeoutMs: number): Promise<string> {
	try {
		const { stdout } = await execute(program!, args, {
			cwd: ROOT,
			timeout: timeoutMs,
			killSignal: 'SIGKILL',
			maxBuffer: 64 << 20,
		});
		return stdout;
	} catch (error) {
		const { stdout = '', stderr = '', message } = error as Error & { stdout?: string; stderr?: string };
		throw new Error(`${program} ${args.join(' ')}: ${message.split('\n')[0]}\n${stdout}${stderr}`, { cause: error });
	}
}
