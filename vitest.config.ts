import { defineConfig } from 'vitest/config';

/**
 * Suites that start processes, kill them or drive a browser: alone, one file at a time, after the others, so that two
 * cores are enough.
 */
const HEAVY = [
	'test/**/*.test.ts',
	'**/*.{crash,damage,faults,soak,heavy}.test.ts',
	'**/{crash,damage,faults,soak,heavy}.test.ts',
];
const LIGHT_IN_TEST = ['test/imports.test.ts', 'packages/testing/**/*.test.ts'];
const NEVER = ['**/node_modules/**', '**/dist/**', '**/data/**', '**/.cache/**'];
/** Only `npm run test:compose` sets this: those tests need a Docker engine, which is the user's own. */
if (!process.env.COMPOSE_PROJECT) NEVER.push('test/compose/**');

const common = { pool: 'forks', testTimeout: 60_000, hookTimeout: 60_000, teardownTimeout: 15_000 } as const;

export default defineConfig({
	test: {
		teardownTimeout: common.teardownTimeout,
		projects: [
			{
				test: {
					...common,
					name: 'unit',
					include: [
						'{packages,edge-gateway,services,firmware-sim,frontend,scripts,bench}/**/*.test.ts',
						...LIGHT_IN_TEST,
					],
					exclude: [...NEVER, ...HEAVY.slice(1)],
					maxWorkers: 2,
					sequence: { groupOrder: 0 },
				},
			},
			{
				test: {
					...common,
					name: 'heavy',
					include: HEAVY,
					exclude: [...NEVER, ...LIGHT_IN_TEST],
					fileParallelism: false,
					sequence: { groupOrder: 1 },
				},
			},
		],
	},
});
