export * from './semaphore.ts';
export * from './serial-queue.ts';
