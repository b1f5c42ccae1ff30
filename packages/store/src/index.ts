export * from './lease.ts';
export * from './store.ts';
export * from './stores.ts';
export { Turns } from './turns.ts';
