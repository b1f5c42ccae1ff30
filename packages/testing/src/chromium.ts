/** Starts a real Chromium for a test. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BrowserContext, chromium } from 'playwright-core';
import { findProgram } from './processes.ts';
import { keyOf } from './trust.ts';

const FLAGS = [
	'--headless',
	'--no-sandbox',
	'--disable-gpu',
	'--disable-quic',
	'--no-first-run',
	'--disable-background-networking',
	'--disable-component-update',
	'--disable-sync',
];

export interface Chromium {
	/** `context.newPage()` opens a page. */
	readonly context: BrowserContext;
	/** Closes it and removes its profile. */
	close(): Promise<void>;
}

/** The path of Debian's Chromium, or another one on PATH; undefined when there is none. */
const findChromium = () => findProgram('chromium') ?? findProgram('chromium-browser') ?? findProgram('google-chrome');

/**
 * Starts the installed Chromium, headless, with a profile of its own. `trusting`: a site whose certificate it takes,
 * whoever signed it, where this process does (trust.ts).
 * @throws when none is installed.
 */
export async function launchChromium(
	options: { width?: number; height?: number; trusting?: string } = {},
): Promise<Chromium> {
	const executablePath = findChromium();
	if (!executablePath) throw new Error('chromium is not installed');
	const { trusting = '' } = options;
	const keys = trusting.startsWith('https:') ? [`--ignore-certificate-errors-spki-list=${await keyOf(trusting)}`] : [];
	const profile = await mkdtemp(join(tmpdir(), 'crowdvision-chromium-'));
	const forget = () => rm(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
	try {
		const context = await chromium.launchPersistentContext(profile, {
			executablePath,
			headless: true,
			chromiumSandbox: false,
			args: [...FLAGS, ...keys],
			viewport: { width: options.width ?? 1280, height: options.height ?? 800 },
		});
		return {
			context,
			close: async () => {
				try {
					await context.close();
				} finally {
					await forget();
				}
			},
		};
	} catch (error) {
		await forget();
		throw error;
	}
}
