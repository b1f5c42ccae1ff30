import { Registry } from '@crowdvision/service-kit';
import { describe, expect, it } from 'vitest';
import { Ledger } from './ledger.ts';
import { registerLedgerMetrics } from './ledger-metrics.ts';
import { count } from './tally.ts';

describe('the ledger', () => {
	it('balances when everything received is accounted for, and reports how far it is off otherwise', () => {
		const ledger = new Ledger();
		expect(ledger.imbalance()).toBe(0);
		const mqtt = ledger.of('mqtt');
		mqtt.received += 12;
		mqtt.pending += 1;
		mqtt.accepted += 4;
		mqtt.duplicates += 2;
		mqtt.deferred += 1;
		count(mqtt.rejected, 'not_json', 2);
		count(mqtt.ignored, 'no_reading');
		count(mqtt.dropped, 'dropped-newest');
		expect(ledger.imbalance()).toBe(0);
		ledger.of('http').received += 1;
		expect(ledger.imbalance()).toBe(1);
		count(ledger.of('serial', '/dev/ttyUSB0').rejected, 'forbidden', 2);
		// One missing and two counted twice make three errors.
		expect(ledger.imbalances()).toEqual([
			{ ledger: 'source', name: 'mqtt', imbalance: 0 },
			{ ledger: 'source', name: 'http', imbalance: 1 },
			{ ledger: 'source', name: 'serial /dev/ttyUSB0', imbalance: -2 },
		]);
		expect(ledger.imbalance()).toBe(3);
	});

	it('has a tally for each port, summed by transport, and one for each direction of a bridge with its queue', () => {
		const ledger = new Ledger();
		ledger.of('serial', 'a').received += 2;
		ledger.of('serial', 'a').accepted += 2;
		ledger.of('serial', 'b').received += 1;
		count(ledger.of('serial', 'b').rejected, 'not_json');
		expect(ledger.summary()).toMatchObject({
			serial: { received: 3, accepted: 2, rejected: { not_json: 1 }, imbalance: 0 },
		});
		const out = ledger.part('bridge', 'campus out');
		out.carried = 5;
		out.received += 3;
		out.accepted += 6;
		out.queued = () => 2;
		expect(ledger.tallies()).toMatchObject({
			'serial a': { received: 2 },
			'serial b': { received: 1 },
			'bridge campus out': { received: 8, accepted: 6, pending: 2, imbalance: 0 },
		});
	});

	it('stays bounded, however many ports and rules the configuration names', () => {
		const ledger = new Ledger();
		for (let i = 0; i < 1000; i++) {
			ledger.of('serial', `port ${i}`).received += 1;
			ledger.part('decoder', `rule ${i}`).received += 1;
		}
		expect(ledger.summary().serial!.received).toBe(1000);
		expect(Object.keys(ledger.tallies()).length).toBeLessThan(410);
		expect(ledger.imbalance()).toBe(2000);
	});

	it('gives Prometheus the same counts however often it asks, by transport and reason', async () => {
		const ledger = new Ledger();
		const metrics = new Registry();
		registerLedgerMetrics(metrics, ledger);
		const serial = ledger.of('serial', '/dev/ttyUSB0');
		serial.received += 3;
		serial.accepted += 1;
		count(serial.rejected, 'not_json', 2);
		count(ledger.of('http').rejected, 'forbidden');
		await metrics.metrics();
		const lines = (await metrics.metrics()).split('\n');
		expect(lines).toEqual(
			expect.arrayContaining([
				'gateway_readings_received_total{transport="serial"} 3',
				'gateway_readings_accepted_total{transport="serial"} 1',
				'gateway_readings_rejected_total{transport="serial",reason="not_json"} 2',
				'gateway_readings_rejected_total{transport="http",reason="forbidden"} 1',
				'gateway_ledger_imbalance{ledger="source",name="serial /dev/ttyUSB0"} 0',
				'gateway_ledger_imbalance{ledger="source",name="http"} -1',
			]),
		);
		expect(ledger.summary()).toMatchObject({
			serial: { received: 3, accepted: 1, rejected: { not_json: 2 } },
			http: { rejected: { forbidden: 1 } },
		});
	});
});
