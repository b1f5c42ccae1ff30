export * from './back-off.ts';
export * from './keep-trying.ts';
export * from './retry-on-conflict.ts';
export * from './retry-state.ts';
