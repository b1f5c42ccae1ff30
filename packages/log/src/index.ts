export type { DiskFaults } from './commit/commit-thread.ts';
export { type CommitWorker, startCommitWorker } from './commit/commit-worker.ts';
export { type Countable, CursorAccount, type CursorBalance, type Due } from './cursor/cursor-tally.ts';
export type { DedupOptions, Verdict } from './dedup/dedup-window.ts';
export { Log, type ReadResult } from './log.ts';
export { CheckpointFile } from './recovery/checkpoint-file.ts';
export { type LogFolder, readLogFolder } from './recovery/read-folder.ts';
export type { ReadLimits } from './segment/reader.ts';
export type { DedupKey, LogRecord } from './segment/record.ts';
export {
	type Appended,
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
