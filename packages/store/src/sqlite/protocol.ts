/** The messages between the engine and its worker thread. */
import type { ErrorCode } from '@crowdvision/contracts';

/** A value in a column of SQLite. A boolean is 0 or 1, a time is epoch ms. */
export type SqlValue = null | number | bigint | string | Uint8Array;

/** One statement, run once with `params`, or once per element of `many`. */
export interface Statement {
	sql: string;
	params?: readonly SqlValue[];
	many?: readonly (readonly SqlValue[])[];
	/** If another number of rows changes, the transaction is rolled back and refused with `conflict`. */
	expect?: number;
}

/** The outcome of a statement: rows changed (summed over `many`), and rows returned (SELECT or RETURNING). */
export interface StatementOutcome {
	changes: number;
	rows: unknown[];
}

/** A task for the worker. `db` is the number that the engine gave the database. */
export type WorkerTask =
	| {
			op: 'open';
			db: number;
			path: string;
			migrations: readonly string[];
			application?: number | undefined;
			suspect?: boolean;
	  }
	| { op: 'run'; db: number; statements: readonly Statement[] }
	| { op: 'exec'; db: number; sql: string }
	| { op: 'close'; db: number }
	| { op: 'stop' };
export type WorkerRequest = WorkerTask & { id: number };

/**
 * `code` is absent for a mistake in the program, which no client is shown. `unique`: the violated unique index, or the
 * columns of the table. `damaged`: the file is not an intact database.
 */
export type WorkerReply =
	| { id: number; ok: true; outcomes: StatementOutcome[] }
	| { id: number; ok: false; error: { code?: ErrorCode; message: string; unique?: string; damaged?: boolean } };
