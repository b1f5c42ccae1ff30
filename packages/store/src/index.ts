export * from './lease.ts';
export type { StoreLogger } from './logger.ts';
export * from './sqlite.ts';
export type { SqlValue, Statement, StatementOutcome } from './sqlite-protocol.ts';
export * from './store.ts';
export * from './stores.ts';
export { Turns } from './turns.ts';
