export * from './bus.ts';
export { EmbeddedBus } from './embedded-bus.ts';
export { RedisBus } from './redis-bus.ts';
