/** The program of the simulator: runs a fleet of simulated devices and shows what it does. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Fleet, startFleet } from './fleet/fleet.ts';
import { SILENT, type SimLogger } from './logger.ts';
import { HELP, readOptions, type SimOptions, UsageError } from './options.ts';

const DRAIN_MS = 15_000;
const POLL_MS = 100;
/** Time between two status lines where one cannot overwrite the other. */
const STATUS_MS = 10_000;

const stderrLogger: SimLogger = { ...SILENT, debug: log, info: log, warn: log };

function log(details: object, message: string): void {
	process.stderr.write(`${message} ${JSON.stringify(details)}\n`);
}

async function main(): Promise<number> {
	const options = readOptions(process.argv.slice(2), process.env, new Date());
	if (!options) {
		process.stdout.write(HELP);
		return 0;
	}
	const interrupted = new AbortController();
	const interrupt = () => {
		// The second signal ends the process at once.
		if (interrupted.signal.aborted) process.exit(130);
		interrupted.abort();
	};
	process.on('SIGINT', interrupt).on('SIGTERM', interrupt);

	const startedAt = performance.now();
	const { deviceId, token, crowds, verbose, ...rest } = options;
	const fleet = await startFleet({
		...definedOf(rest),
		credentials: () => ({ deviceId, token }),
		logger: verbose ? stderrLogger : refusalsOnly(),
	});
	try {
		for (const { roomId, count } of crowds) fleet.crowd(roomId, count);
		await untilDone(fleet, options, startedAt, interrupted.signal);
		fleet.pause();
		if (!interrupted.signal.aborted) await fleet.drained(DRAIN_MS);
	} finally {
		await fleet.stop();
	}
	process.stdout.write(summary(fleet, (performance.now() - startedAt) / 1000));
	return fleet.stats().pending > 0 && !interrupted.signal.aborted ? 1 : 0;
}

/** Leaves out undefined values, which the fleet's options do not allow. */
function definedOf({ count, flashFile, ...rest }: Omit<SimOptions, 'deviceId' | 'token' | 'crowds' | 'verbose'>) {
	return { ...rest, ...(count !== undefined && { count }), ...(flashFile !== undefined && { flashFile }) };
}

async function untilDone(
	fleet: Fleet,
	{ count, forMs }: SimOptions,
	startedAt: number,
	signal: AbortSignal,
): Promise<void> {
	const live = process.stderr.isTTY;
	let reportedAt = 0;
	while (!signal.aborted) {
		const now = performance.now();
		const done =
			(count !== undefined && fleet.stats().produced >= count) || (forMs !== undefined && now - startedAt >= forMs);
		if (live || now - reportedAt >= STATUS_MS) {
			process.stderr.write(live ? `\r\u001b[K${status(fleet)}` : `${status(fleet)}\n`);
			reportedAt = now;
		}
		if (done) break;
		await sleep(POLL_MS, undefined, { signal }).catch(() => {});
	}
	if (live) process.stderr.write('\n');
}

function status(fleet: Fleet): string {
	const { produced, acknowledged, refused, overwritten, pending, resent, connected, faults } = fleet.stats();
	const faultCounts = Object.entries(faults).map(([name, times]) => ` · ${name} ${times}`);
	return (
		`${produced} readings · acknowledged ${acknowledged} · waiting ${pending} · sent again ${resent} · ` +
		`refused ${refused} · overwritten ${overwritten} · connections ${connected}${faultCounts.join('')}`
	);
}

function summary(fleet: Fleet, seconds: number): string {
	const transports = [...new Set(fleet.devices.map((device) => device.transport))].join(', ');
	const { pending } = fleet.stats();
	const left = pending > 0 ? `${pending} readings were not acknowledged\n` : '';
	return `${status(fleet)}\n${fleet.devices.length} devices over ${transports}, ${seconds.toFixed(1)} s\n${left}`;
}

/** The logger without --verbose: each reason for which readings were refused, once. */
function refusalsOnly(): SimLogger {
	const logged = new Set<string>();
	return {
		...SILENT,
		warn: (details, message) => {
			const reason = String((details as { reason?: unknown }).reason);
			if (logged.has(reason) || logged.size >= 20) return;
			logged.add(reason);
			log(details, message);
		},
	};
}

try {
	process.exitCode = await main();
} catch (error) {
	const usage = error instanceof UsageError;
	process.stderr.write(`sim: ${(error as Error).message}${usage ? '; see --help' : ''}\n`);
	process.exitCode = usage || error instanceof RangeError ? 2 : 1;
}
