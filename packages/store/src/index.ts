export * from './lease.ts';
export type { StoreLogger } from './logger.ts';
export * from './store.ts';
export * from './stores.ts';
export { Turns } from './turns.ts';
