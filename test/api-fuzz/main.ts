/**
 * Sends generated requests to every operation of the API:  npm run fuzz:api -- [--seconds 600] [--seed N] [--only PART]
 * Prints the seed first, each finding as it comes, and a line of JSON at the end. Exits with 1 when it found something.
 */
import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { fuzzApi } from './fuzz.ts';

const text = { type: 'string' } as const;
const { values } = parseArgs({ options: { seconds: { ...text, default: '600' }, seed: text, only: text } });
const wholeNumber = (option: 'seconds' | 'seed', given: string): number => {
	if (/^\d{1,9}$/.test(given)) return Number(given);
	process.stderr.write(`--${option} is "${given}", but must be a whole number\n`);
	process.exit(2);
};
const seconds = wholeNumber('seconds', values.seconds);
const seed = values.seed === undefined ? randomInt(2 ** 29) : wholeNumber('seed', values.seed);
process.stdout.write(`fuzz:api: ${seconds} s with seed ${seed}\n`);
const log = (line: string) => process.stdout.write(`FOUND ${line}\n`);
const report = await fuzzApi({ seconds, seed, log, ...(values.only !== undefined && { only: values.only }) });
process.stdout.write(`${JSON.stringify(report)}\n`, () => process.exit(report.findings.length > 0 ? 1 : 0));
