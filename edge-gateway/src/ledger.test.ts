import { Registry } from '@crowdvision/service-kit';
import { describe, expect, it } from 'vitest';
import { Ledger } from './ledger.ts';

describe('the ledger', () => {
	it('balances when everything received is accounted for, and shows by how much it does not', () => {
		const ledger = new Ledger();
		expect(ledger.imbalance()).toBe(0);
		const mqtt = ledger.of('mqtt');
		mqtt.received += 10;
		mqtt.pending += 1;
		mqtt.accepted += 4;
		mqtt.duplicates += 2;
		mqtt.deferred += 1;
		ledger.reject('mqtt', 'not_json', 2);
		expect(ledger.imbalance()).toBe(0);
		ledger.of('http').received += 1;
		expect(ledger.imbalance()).toBe(1);
		ledger.reject('http', 'forbidden', 2);
		expect(ledger.imbalance()).toBe(-1);
	});

	it('tells Prometheus the same however often it asks, by way in and reason', async () => {
		const ledger = new Ledger();
		const metrics = new Registry();
		ledger.register(metrics);
		ledger.of('serial').received += 3;
		ledger.of('serial').accepted += 1;
		ledger.reject('serial', 'not_json', 2);
		ledger.reject('http', 'forbidden', 1);
		await metrics.metrics();
		const lines = (await metrics.metrics()).split('\n');
		expect(lines).toEqual(
			expect.arrayContaining([
				'gateway_readings_received_total{transport="serial"} 3',
				'gateway_readings_accepted_total{transport="serial"} 1',
				'gateway_readings_rejected_total{transport="serial",reason="not_json"} 2',
				'gateway_readings_rejected_total{transport="http",reason="forbidden"} 1',
			]),
		);
		expect(ledger.summary()).toMatchObject({ serial: { received: 3, accepted: 1, rejected: { not_json: 2 } }, http: { rejected: { forbidden: 1 } } });
	});
});
