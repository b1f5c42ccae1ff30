export { Counter, Gauge, Histogram, Registry } from 'prom-client';
export * from './back-off.ts';
export * from './buildings.ts';
export * from './http.ts';
export * from './lifecycle.ts';
export * from './logger.ts';
export * from './service.ts';
export * from './settings.ts';
export * from './tokens.ts';
