/**
 * For the tests of the recorder: writes to the folder RECORD_DISK_FOLDER in every way that CrowdVision does, and prints
 * `kept <file>` for each file whose content and name it has synced. With the argument `careless` it says so without.
 */
import {
	closeSync,
	fdatasyncSync,
	fsyncSync,
	ftruncateSync,
	mkdirSync,
	openSync,
	renameSync,
	rmSync,
	unlinkSync,
	writeFileSync,
	writeSync,
} from 'node:fs';
import { mkdir, open, rename, rm, writeFile } from 'node:fs/promises';
import { Worker } from 'node:worker_threads';

const folder = process.env.RECORD_DISK_FOLDER!;
const isCareless = process.argv[2] === 'careless';
const path = (name: string) => `${folder}/${name}`;

function syncFolder(name = ''): void {
	const fd = openSync(path(name), 'r');
	fsyncSync(fd);
	closeSync(fd);
}

mkdirSync(path('sub/deep'), { recursive: true });
syncFolder();
syncFolder('sub');

const fd = openSync(path('sub/deep/log'), 'w', 0o600);
for (let n = 0; n < 3; n++) {
	writeSync(fd, Buffer.alloc(700, `${n}`), 0, 700, n * 700);
	if (!isCareless) fdatasyncSync(fd);
	if (n === 0) syncFolder('sub/deep');
	process.stdout.write(`kept sub/deep/log ${(n + 1) * 700}\n`);
}
writeSync(fd, 'torn');
ftruncateSync(fd, 2000);
closeSync(fd);

const handle = await open(path('next.tmp'), 'w', 0o600);
await handle.writeFile('new');
await handle.write(Buffer.from('er'), 0, 2);
await handle.datasync();
await handle.close();
await rename(path('next.tmp'), path('next'));
if (!isCareless) syncFolder();
process.stdout.write('kept next 5\n');

writeFileSync(path('whole'), 'flushed', { flush: true });
writeFileSync(path('whole'), 'over');
await mkdir(path('gone'), { recursive: true });
await writeFile(path('gone/file'), 'text');
await rm(path('gone'), { recursive: true });
writeFileSync(path('a'), 'a');
renameSync(path('a'), path('b'));
writeFileSync(path('c'), 'c');
unlinkSync(path('c'));
rmSync(path('never'), { force: true });

const thread = new Worker(new URL('./promising-thread.ts', import.meta.url), {
	execArgv: [],
	workerData: path('thread'),
});
await new Promise((resolve) => thread.once('exit', resolve));
