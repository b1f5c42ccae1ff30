import { flushCompileCache } from 'node:module';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/**
 * Frees the memory that only the start needed; call it once, just before the process is ready, as it takes tens of
 * milliseconds. Collects all garbage, which V8 keeps as long as nothing asks for memory, and writes the compile cache
 * where NODE_COMPILE_CACHE names one: a process that is killed would never write it, and would load the type stripper
 * (35 MiB) at every start.
 *
 * Not as V8's last resort: that frees nothing more here, but discards all compiled code with what was learned about it,
 * and the first ten thousand messages would pay for compiling it again.
 */
export function releaseStartupMemory(): void {
	flushCompileCache();
	// Not with node:inspector's HeapProfiler: closing its session after a collection can deadlock the process.
	setFlagsFromString('--expose-gc');
	const collect = runInNewContext('gc') as (how: { type: 'major'; execution: 'sync' }) => void;
	setFlagsFromString('--no-expose-gc');
	collect({ type: 'major', execution: 'sync' });
}
