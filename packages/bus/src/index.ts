export * from './bus.ts';
export { consumeReadings, type StreamedReading } from './consume-readings.ts';
export { EmbeddedBus } from './embedded/embedded-bus.ts';
export { GapMarker } from './embedded/gap-marker.ts';
export { RedisBus } from './redis/redis-bus.ts';
export { trimStream } from './redis/trim.ts';
