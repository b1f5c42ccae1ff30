import { describe, expect, it } from 'vitest';
import { TenantTopics } from './tenant-topics.ts';

const topics = new TenantTopics({ home: 'north' });
const [north, lab, south] = ['north', 'north/lab', 'south'].map((domainName) => ({ domainName }));

describe('P14 the topics of a sensor', () => {
	it.each([
		['status/eye', north, 'status/eye'],
		['command/eye/result', lab, 'command/eye/result'],
		['status/eye', south, 'status/@south/eye'],
		['command/eye', south, 'command/@south/eye'],
		['command/eye/result', south, 'command/@south/eye/result'],
		['telemetry/b/r/eye', south, 'telemetry/b/r/eye'],
		['statuses/eye', south, 'statuses/eye'],
		['status', south, 'status'],
	])('%s of a device of %o is %s on the broker, and comes back as it was', (topic, device, onBroker) => {
		expect(topics.toBroker(topic, device!)).toBe(onBroker);
		expect(topics.toBroker(onBroker, device!)).toBe(onBroker);
		expect(topics.toDevice(onBroker, device!)).toBe(topic);
	});

	it('are unknown to the devices of every other tenant', () => {
		expect(topics.toDevice('status/eye', south!)).toBeUndefined();
		expect(topics.toDevice('status/@south/eye', north!)).toBeUndefined();
		expect(topics.toDevice('status/@southern/eye', south!)).toBeUndefined();
	});

	it('are the same for all while the gateway knows no tenant', () => {
		const nobodys = new TenantTopics({ home: undefined });
		expect(nobodys.toBroker('status/eye', south!)).toBe('status/eye');
		expect(nobodys.toDevice('status/eye', south!)).toBe('status/eye');
	});
});
