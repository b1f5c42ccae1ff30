/** Reads CPU time and memory of the measured processes, and pins them to cores. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, totalmem } from 'node:os';

const TICKS_PER_SECOND = 100;

/** The generator, Redis and the stream reader share one core, so that the system under test has the other to itself. */
export const LOAD_CORE = 0;
export const SYSTEM_CORE = 1;

const canPin = availableParallelism() > 1 && spawnSync('taskset', ['--version']).status === 0;

/** Pins a process with all its threads and later children to one core. Does nothing if the machine cannot do that. */
export function pin(pid: number, core: number): void {
	if (canPin) spawnSync('taskset', ['-apc', String(core), String(pid)]);
}

/** CPU seconds used by a process, all threads together. */
export function cpuSeconds(pid: number): number {
	const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
	const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
	return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** Resident memory of a process, MiB: now, and at its peak. */
export function memory(pid: number): { now: number; peak: number } {
	const status = readFileSync(`/proc/${pid}/status`, 'utf8');
	const mib = (name: string) =>
		Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? Number.NaN) / 1024;
	return { now: mib('VmRSS'), peak: mib('VmHWM') };
}

/** The machine that was measured on, as it stands in the results. */
export interface Machine {
	cpu: string;
	cores: number;
	memoryGiB: number;
	node: string;
	pinned: boolean;
}

export const machine = (): Machine => ({
	cpu: cpus()[0]?.model.trim() ?? 'unknown',
	cores: availableParallelism(),
	memoryGiB: Math.round(totalmem() / 2 ** 30),
	node: process.version,
	pinned: canPin,
});
