export * from './document-pages.ts';
export * from './leadership/elect-leader.ts';
export * from './store.ts';
export * from './stores.ts';
