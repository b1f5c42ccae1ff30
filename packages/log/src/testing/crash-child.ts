/**
 * A process to be killed: appends the readings of several sources to a log, reports on stdout what is acknowledged, and
 * reads it back by a cursor. Arguments: folder, maxBytes, and as JSON the seq that each source sends next. It ends with
 * its stdin. Lines it prints:
 *
 *   open <id> <next offset> <cursor>      a <source> <seq> <offset>  acknowledged        d <source> <seq>  a duplicate, acknowledged
 *   c <offset> <source> <seq>  consumed   r <next>  about to commit the cursor there     g <from> <to>  a gap        i <what>  an incident
 */
import { writeSync } from 'node:fs';
import { startCommitWorker } from '../commit/commit-worker.ts';
import { Log } from '../log.ts';
import { LogFullError } from '../types.ts';

const UNDER_WAY = 6;
const [dir, maxBytes, begin] = process.argv.slice(2) as [string, string, string];
process.stdin.on('end', () => process.exit(0)).resume();

const idle = new Int32Array(new SharedArrayBuffer(4));

/**
 * When it returns the kernel has it, whatever becomes of this process: a stream would keep it here while the pipe is
 * full.
 */
function say(lines: readonly string[]): void {
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
	onIncident: ({ what }) => say([`i ${what}`]),
});
const cursor = log.cursor('relay', 0);
say([`open ${log.id} ${log.nextOffset} ${cursor.position}`]);

/** As the gateway does it: a duplicate waits for its original, everything else is appended. */
async function deliver(source: string, seq: number): Promise<void> {
	const key = { source, boot: source.startsWith('named') ? 'b1' : '', seq, hash: seq * 31 };
	if (log.look(key) === 'duplicate') {
		await log.durable();
		say([`d ${source} ${seq}`]);
		return;
	}
	const { first } = await log.append([{ payload: `${source} ${seq}`.padEnd(40 + (seq % 150)), key }]);
	say([`a ${source} ${seq} ${first}`]);
}

/** Sends on and on, a few at a time, and now and then something once more. */
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
		say(gaps.map(({ from, to }) => `g ${from} ${to}`));
		say(records.map(({ offset, payload }) => `c ${offset} ${payload.toString().trimEnd()}`));
		if (next > cursor.position) {
			say([`r ${next}`]);
			cursor.commit(next);
		} else await log.waitFor(next);
		await breathe();
	}
}

void consumer();
for (const [source, seq] of Object.entries(JSON.parse(begin) as Record<string, number>)) void device(source, seq);
