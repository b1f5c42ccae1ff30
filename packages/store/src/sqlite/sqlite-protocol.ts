import type { ErrorCode } from '@crowdvision/contracts';

/** What SQLite keeps in a column. A boolean is 0 or 1, a time is epoch ms. */
export type SqlValue = null | number | bigint | string | Uint8Array;

/** One statement, run once with `params`, or once for each of `many` (prepared once). */
export interface Statement {
	sql: string;
	params?: readonly SqlValue[];
	many?: readonly (readonly SqlValue[])[];
	/** Where given, a transaction in which another number of rows changes is rolled back, and refused with `conflict`. */
	expect?: number;
}

/** What a statement did: rows changed (summed over `many`), and the rows it returned (SELECT or RETURNING). */
export interface StatementOutcome {
	changes: number;
	rows: unknown[];
}

/** What the engine asks of its worker. `db` is a number the engine gave the database. */
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
 * `code` is absent for a mistake of ours, which is no refusal to show to anybody. `unique`: the index, or the table's
 * columns, where something stands already. `damaged`: the file is no whole database any more.
 */
export type WorkerReply =
	| { id: number; ok: true; outcomes: StatementOutcome[] }
	| { id: number; ok: false; error: { code?: ErrorCode; message: string; unique?: string; damaged?: boolean } };
