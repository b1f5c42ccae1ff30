import type { DeviceStatus } from '@crowdvision/contracts';
import { describe, expect, it } from 'vitest';
import { Devices } from './devices.ts';

const all = () => true;
const find = (devices: Devices, id: string): DeviceStatus | undefined =>
	devices.list(all).find((device) => device.id === id);

describe('Devices', () => {
	it('lists for each transport who is connected, when it last sent and how many readings', () => {
		const devices = new Devices();
		const before = Date.now();
		devices.connected('d', 'acme', 'mqtt');
		devices.received('d', 'acme', 'mqtt', 3);
		devices.received('d', 'acme', 'http', 1);
		devices.disconnected('d', 'mqtt');
		devices.disconnected('never seen', 'mqtt');
		expect(devices.list(all)).toMatchObject([
			{ id: 'd', domainName: 'acme', transport: 'mqtt', connected: false, readings: 3 },
			{ id: 'd', transport: 'http', connected: true, readings: 1 },
		]);
		for (const { lastSeen } of devices.list(all)) expect(lastSeen).toBeGreaterThanOrEqual(before);
	});

	it('shows what is wrong with a missing port until it is connected, also if it never was', () => {
		const devices = new Devices();
		devices.setMissing('/dev/x', undefined, 'serial', 'not plugged in');
		expect(find(devices, '/dev/x')).toMatchObject({ connected: false, trouble: 'not plugged in', lastSeen: 0 });
		devices.connected('/dev/x', 'acme', 'serial');
		expect(find(devices, '/dev/x')).toMatchObject({ connected: true, domainName: 'acme' });
		expect(find(devices, '/dev/x')).not.toHaveProperty('trouble');
	});

	it('shows a device as connected until its last connection ends', () => {
		const devices = new Devices();
		devices.connected('d', 'acme', 'mqtt');
		devices.connected('d', 'acme', 'mqtt');
		devices.disconnected('d', 'mqtt');
		expect(find(devices, 'd')).toMatchObject({ connected: true });
		devices.disconnected('d', 'mqtt');
		expect(find(devices, 'd')).toMatchObject({ connected: false });
		devices.disconnected('d', 'mqtt');
		devices.connected('d', 'acme', 'mqtt');
		expect(find(devices, 'd')).toMatchObject({ connected: true });
	});

	it('keeps at most ten thousand devices: forgets the one that was silent longest, but none that is connected', () => {
		const devices = new Devices();
		devices.connected('connected', 'acme', 'mqtt');
		for (let i = 0; i < 11_000; i++) devices.received(`d${i}`, 'acme', 'http', 1);
		expect(devices.list(all).length).toBeLessThanOrEqual(10_000);
		expect(find(devices, 'connected')).toBeDefined();
		expect(find(devices, 'd10999')).toBeDefined();
		expect(find(devices, 'd0')).toBeUndefined();
	});
});
