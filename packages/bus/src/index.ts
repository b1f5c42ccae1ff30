export * from './bus.ts';
export { EmbeddedBus, type EmbeddedBusOptions } from './embedded-bus.ts';
export { GapMarker } from './gap-marker.ts';
export type { BusLogger } from './logger.ts';
export { RedisBus, type RedisBusOptions } from './redis-bus.ts';
export { DEFAULT_TRIM, type TrimBounds, type Trimmed, trimStream } from './redis-trim.ts';
