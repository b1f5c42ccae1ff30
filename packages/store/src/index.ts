export * from './sqlite.ts';
export type { SqlValue, Statement, StatementOutcome } from './sqlite-protocol.ts';
