/**
 * Runs the tests:  npm test [-- <part of a path> …] [--tier unit] [--kills N] [--cut S] [--outage S] [--states N]
 *   [--seed N]
 * `--tier` runs one of the tiers of vitest.config.ts; the others are the parameters of the fault tests, in kills,
 * seconds and states of a disk (packages/testing/src/fault-parameters.ts).
 * The last line is `N passed, N failed`, with `, N skipped` where there are any. Exits 1 when anything failed, also
 * outside a test.
 */
import { randomUUID } from 'node:crypto';
import { relative } from 'node:path';
import { parseArgs } from 'node:util';
import { whyNoMongo } from '@crowdvision/testing/mongod';
import { createVitest, type TestModule } from 'vitest/node';
import { endLeftovers, RUN_MARK } from './leftovers.ts';

/** The parameters of the fault tests, and the variable that hands each on. */
const PARAMETERS = {
	kills: 'FAULT_KILLS',
	cut: 'FAULT_CUT_SECONDS',
	outage: 'FAULT_OUTAGE_SECONDS',
	states: 'FAULT_STATES',
	seed: 'FAULT_SEED',
};
const text = { type: 'string' } as const;
const { values: options, positionals: filters } = parseArgs({
	allowPositionals: true,
	options: { tier: text, kills: text, cut: text, outage: text, states: text, seed: text },
});
for (const [option, variable] of Object.entries(PARAMETERS)) {
	const value = options[option as keyof typeof PARAMETERS];
	if (value === undefined) continue;
	if (!/^[1-9]\d{0,5}$/.test(value)) {
		process.stderr.write(`--${option} is "${value}", but must be a whole number from 1 to 999999\n`);
		process.exit(2);
	}
	process.env[variable] = value;
}

const run = randomUUID();
process.env[RUN_MARK] = run;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
	process.once(signal, async () => {
		await endLeftovers(run, 0);
		process.exit(1);
	});
}

const failures: string[] = [];
/** What is missing, and what is not tested for it; said before the tests and again after them. */
const missing = [whyNoMongo()].filter((why) => why !== undefined).map((why) => `*** MONGODB IS NOT TESTED: ${why}\n`);
process.stdout.write(missing.join(''));

const vitest = await createVitest({
	watch: false,
	reporters: [['default', { summary: false }]],
	...(options.tier && { project: options.tier }),
});
const notes: string[] = [];
let passed = 0;
let skipped = 0;

function count(module: TestModule): void {
	const file = relative(process.cwd(), module.moduleId);
	for (const test of module.children.allTests()) {
		const result = test.result();
		if (result.state === 'passed') passed++;
		else if (result.state === 'skipped') {
			skipped++;
			notes.push(`${file} > ${test.fullName}${result.note ? `: ${result.note}` : ''}`);
		} else
			failures.push(`${file} > ${test.fullName}${result.state === 'pending' ? ': it did not come to an end' : ''}`);
	}
	// A file that does not load, or a hook that fails outside of its tests.
	if (module.errors().length > 0) failures.push(`${file}: ${module.errors()[0]?.message}`);
	for (const suite of module.children.allSuites()) {
		if (suite.errors().length > 0) failures.push(`${file} > ${suite.fullName}: ${suite.errors()[0]?.message}`);
	}
}

try {
	const { testModules, unhandledErrors } = await vitest.start(filters);
	testModules.forEach(count);
	for (const error of unhandledErrors) failures.push(`outside of any test: ${(error as Error)?.message ?? error}`);
} catch (error) {
	failures.push(`the run itself: ${(error as Error).message ?? error}`);
} finally {
	await vitest.close();
}
for (const { pid, command } of await endLeftovers(run, 5000))
	failures.push(`left a process behind (${pid}, now ended): ${command}`);

process.stdout.write(missing.join(''));
for (const note of notes) process.stdout.write(`SKIPPED ${note}\n`);
for (const failure of failures) process.stdout.write(`FAILED ${failure}\n`);
process.stdout.write(
	`${passed} passed, ${failures.length} failed${skipped > 0 ? `, ${skipped} skipped` : ''}\n`,
	() => {
		process.exit(failures.length > 0 ? 1 : 0);
	},
);
