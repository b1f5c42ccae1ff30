/**
 * Attacks the gateway with mutated and random bytes over every transport:  npm run fuzz -- [--seconds 600] [--seed N]
 * Prints the seed first, and a line of JSON at the end. On a failure it prints the last inputs in hex and exits with 1.
 */
import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { fuzz } from './fuzz.ts';

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '600' }, seed: { type: 'string' } } });
const wholeNumber = (option: 'seconds' | 'seed', text: string): number => {
	if (/^\d{1,10}$/.test(text)) return Number(text);
	process.stderr.write(`--${option} is "${text}", but must be a whole number\n`);
	process.exit(2);
};
const seconds = wholeNumber('seconds', values.seconds);
const seed = values.seed === undefined ? randomInt(2 ** 32) : wholeNumber('seed', values.seed);
process.stdout.write(`fuzz: ${seconds} s with seed ${seed}\n`);
try {
	process.stdout.write(`${JSON.stringify(await fuzz({ seconds, seed }))}\nfuzz: nothing found\n`);
	process.exit(0);
} catch (error) {
	process.stderr.write(`${(error as Error).message}\n`);
	process.exit(1);
}
