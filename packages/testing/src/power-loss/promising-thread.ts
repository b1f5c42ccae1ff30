/** The thread of promising-program.ts: a thread records its changes too. */
import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs';
import { workerData } from 'node:worker_threads';

const fd = openSync(workerData as string, 'a', 0o600);
writeSync(fd, 'one');
writeSync(fd, 'two');
fsyncSync(fd);
closeSync(fd);
