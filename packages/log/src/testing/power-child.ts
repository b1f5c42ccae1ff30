/**
 * A process whose disk is recorded: appends readings of two sources to a log, delivers some of them twice, reads the
 * log by a cursor, and marks in the record what it has promised. Arguments: maxBytes, the first seq of both sources,
 * the number of rounds, and `close` to end cleanly.
 *
 *   a <source> <seq> <offset>      an acknowledged record
 *   d <source> <seq>               an acknowledged duplicate
 *   x <source> <seq>               a refused record, which is sent again
 *   c <offset> <source> <seq>      a consumed record
 *   r <next>                       the cursor is about to be committed here
 *   f <next>                       the cursor was written
 */
import { setTimeout as pause } from 'node:timers/promises';
import { DiskRecording } from '@crowdvision/testing/disk-recording';
import { startCommitWorker } from '../commit/worker.ts';
import { Log } from '../log.ts';

const [maxBytes, firstSeq, rounds, end] = process.argv.slice(2) as [string, string, string, string | undefined];
const RETRY_MS = 20;
const folder = process.env.RECORD_DISK_FOLDER!;
const recording = new DiskRecording(folder, process.env.RECORD_DISK_TRACE!);
const mark = (text: string) => recording.mark(text);

const log = await Log.open({
	dir: `${folder}/gateway/log`,
	worker: startCommitWorker(),
	maxBytes: Number(maxBytes),
	segmentBytes: 4096,
});
const cursor = log.cursor('relay', 0);

/** What is refused is sent again, as a device does, until it is acknowledged. */
async function deliver(source: string, seq: number): Promise<void> {
	for (;;) {
		try {
			return await send(source, seq);
		} catch {
			mark(`x ${source} ${seq}`);
			await pause(RETRY_MS);
		}
	}
}

async function send(source: string, seq: number): Promise<void> {
	const key = { source, boot: '', seq, hash: seq * 31 };
	if (log.lookUp(key) === 'duplicate') {
		await log.durable();
		mark(`d ${source} ${seq}`);
		return;
	}
	const { first } = await log.append([{ payload: `${source} ${seq}`.padEnd(40 + ((seq * 97) % 700)), key }]);
	mark(`a ${source} ${seq} ${first}`);
}

async function consume(): Promise<void> {
	const { records, next } = await log.read(cursor.position, { maxRecords: 20 });
	for (const { offset, payload } of records) mark(`c ${offset} ${payload.toString().trimEnd()}`);
	mark(`r ${next}`);
	cursor.commit(next);
}

for (let round = 0, seq = Number(firstSeq); round < Number(rounds); round++, seq += 3) {
	const group = [seq, seq + 1, seq + 2, Math.max(1, seq - 5)];
	await Promise.all(['door-1', 'door-2'].flatMap((source) => group.map((each) => deliver(source, each))));
	if (round % 2 === 1) await consume();
	if (round % 4 !== 3) continue;
	await cursor.flush().then(
		() => mark(`f ${cursor.position}`),
		() => undefined,
	);
}
if (end === 'close') await log.close();
process.exit(0);
