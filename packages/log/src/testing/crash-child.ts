/**
 * A process to be killed: appends readings of several sources to a log, reports acknowledgements on stdout, and reads
 * the log by a cursor. Arguments: folder, maxBytes, and the next seq of each source as JSON. Ends with its stdin.
 * Prints:
 *
 *   open <id> <next offset> <cursor>      the log is open
 *   a <source> <seq> <offset>             an acknowledged record
 *   d <source> <seq>                      an acknowledged duplicate
 *   c <offset> <source> <seq>             a consumed record
 *   r <next>                              the cursor is about to be committed here
 *   g <from> <to>                         a gap
 *   i <what>                              an incident
 */
import { writeSync } from 'node:fs';
import { startCommitWorker } from '../commit/worker.ts';
import { LogFullError } from '../errors.ts';
import { Log } from '../log.ts';

const UNDER_WAY = 6;
const [dir, maxBytes, begin] = process.argv.slice(2) as [string, string, string];
process.stdin.on('end', () => process.exit(0)).resume();

const idle = new Int32Array(new SharedArrayBuffer(4));

/** Prints synchronously, so that the lines survive a kill: a stream would hold them while the pipe is full. */
function print(lines: readonly string[]): void {
	const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''));
	for (let written = 0; written < bytes.length; ) {
		try {
			written += writeSync(1, bytes, written);
		} catch (error) {
			if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
			Atomics.wait(idle, 0, 0, 1);
		}
	}
}

const breathe = () => new Promise((resolve) => setTimeout(resolve, 1));

const log = await Log.open({
	dir,
	worker: startCommitWorker(),
	maxBytes: Number(maxBytes),
	segmentBytes: 32 * 1024,
	onIncident: ({ what }) => print([`i ${what}`]),
});
const cursor = log.cursor('relay', 0);
print([`open ${log.id} ${log.nextOffset} ${cursor.position}`]);

/** As in the gateway: a duplicate waits for its original, everything else is appended. */
async function deliver(source: string, seq: number): Promise<void> {
	const key = { source, boot: source.startsWith('named') ? 'b1' : '', seq, hash: seq * 31 };
	if (log.lookUp(key) === 'duplicate') {
		await log.durable();
		print([`d ${source} ${seq}`]);
		return;
	}
	const { first } = await log.append([{ payload: `${source} ${seq}`.padEnd(40 + (seq % 150)), key }]);
	print([`a ${source} ${seq} ${first}`]);
}

/** Sends continuously, a few records at a time, some of them twice. */
async function device(source: string, from: number): Promise<never> {
	for (let seq = from; ; seq += UNDER_WAY) {
		const group = Array.from({ length: UNDER_WAY }, (_, index) => seq + index);
		const again = Math.max(1, seq - Math.floor(Math.random() * 300));
		for (;;) {
			try {
				await Promise.all([...group, again, group[0]!].map((each) => deliver(source, each)));
				break;
			} catch (error) {
				if (!(error instanceof LogFullError)) throw error;
				await breathe();
			}
		}
		await breathe();
	}
}

async function consumer(): Promise<never> {
	for (;;) {
		const { records, gaps, next } = await log.read(cursor.position, { maxRecords: 200 });
		print(gaps.map(({ from, to }) => `g ${from} ${to}`));
		print(records.map(({ offset, payload }) => `c ${offset} ${payload.toString().trimEnd()}`));
		if (next > cursor.position) {
			print([`r ${next}`]);
			cursor.commit(next);
		} else await log.waitFor(next);
		await breathe();
	}
}

void consumer();
for (const [source, seq] of Object.entries(JSON.parse(begin) as Record<string, number>)) void device(source, seq);
