export { CheckpointFile } from './checkpoint-file.ts';
export type { DiskFaults } from './commit-thread.ts';
export { type CommitWorker, startCommitWorker } from './commit-worker.ts';
export type { DedupOptions, Verdict } from './dedup-window.ts';
export {
	type Appended,
	type AppendRecord,
	type Cursor,
	Log,
	LogFullError,
	type LogOptions,
	type LogStats,
	LogWriteError,
	type WhenFull,
} from './log.ts';
export type { ReadLimits, ReadResult } from './reader.ts';
export type { DedupKey, LogRecord } from './record.ts';
export type { Gap, Incident } from './recovery.ts';
