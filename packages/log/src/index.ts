export { CheckpointFile } from './checkpoint-file.ts';
export type { DiskFaults } from './commit-thread.ts';
export { type CommitWorker, startCommitWorker } from './commit-worker.ts';
export { type Countable, CursorAccount, type CursorBalance, type Due } from './cursor-account.ts';
export type { DedupOptions, Verdict } from './dedup-window.ts';
export { Log, type ReadResult } from './log.ts';
export { type LogFolder, readLogFolder } from './read-folder.ts';
export type { ReadLimits } from './reader.ts';
export type { DedupKey, LogRecord } from './record.ts';
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
