import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Log, startCommitWorker } from '@crowdvision/log';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Ledger } from './ledger.ts';

describe('the ledger of a gateway with a log', () => {
	it('checks what sources count as accepted and pending against what the log has stored and is writing', async () => {
		const dir = await mkdtemp(join(tmpdir(), 'crowdvision-ledger-'));
		const worker = startCommitWorker();
		const log = await Log.open({ dir, worker });
		onTestFinished(async () => {
			await log.close();
			await worker.close();
			await rm(dir, { recursive: true });
		});
		const ledger = new Ledger(log);
		const http = ledger.of('http');
		await log.append([{ payload: 'a' }, { payload: 'b' }]);
		http.received += 2;
		http.accepted += 2;
		expect(ledger.imbalance()).toBe(0);
		http.received += 1;
		http.accepted += 1;
		expect(ledger.imbalances()).toContainEqual({ ledger: 'log', name: 'appended', imbalance: 1 });
		http.accepted -= 1;
		http.pending += 1;
		expect(ledger.imbalances()).toContainEqual({ ledger: 'log', name: 'pending', imbalance: 1 });
		expect(ledger.imbalances()).toContainEqual({ ledger: 'source', name: 'http', imbalance: 0 });
	});
});
