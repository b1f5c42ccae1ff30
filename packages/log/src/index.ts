export type { DiskFaults } from './commit/commit-thread.ts';
export { type CommitWorker, startCommitWorker } from './commit/commit-worker.ts';
export type { CursorBalance } from './cursor/cursor-tally.ts';
export { DEDUP_DEFAULTS } from './dedup/dedup-window.ts';
export { Log } from './log.ts';
export { CheckpointFile } from './recovery/checkpoint-file.ts';
export { type LogFolder, readLogFolder } from './recovery/read-folder.ts';
export type { DedupKey, LogRecord } from './segment/record.ts';
export {
	type AppendRecord,
	type Cursor,
	type Gap,
	type Incident,
	LogFullError,
	type LogOptions,
	type LogStats,
	LogWriteError,
	type Thin,
	type WhenFull,
} from './types.ts';
