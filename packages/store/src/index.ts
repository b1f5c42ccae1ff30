export * from './leadership/elect-leader.ts';
export * from './store.ts';
export * from './stores.ts';
