export * from './bus.ts';
export { EmbeddedBus, type EmbeddedBusOptions } from './embedded/embedded-bus.ts';
export { GapMarker } from './embedded/gap-marker.ts';
export type { BusLogger } from './logger.ts';
export { RedisBus, type RedisBusOptions } from './redis/redis-bus.ts';
export { DEFAULT_TRIM, type TrimBounds, type Trimmed, trimStream } from './redis/redis-trim.ts';
