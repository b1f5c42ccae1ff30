import { describe, expect, it } from 'vitest';
import { type DeviceStatus, Devices } from './devices.ts';

const all = () => true;
const find = (devices: Devices, id: string): DeviceStatus | undefined =>
	devices.list(all).find((device) => device.id === id);

describe('the list of devices', () => {
	it('tells of each way in who is connected, when it was heard and how much it sent', () => {
		const devices = new Devices();
		const before = Date.now();
		devices.connected('d', 'acme', 'mqtt');
		devices.heard('d', 'acme', 'mqtt', 3);
		devices.heard('d', 'acme', 'http', 1);
		devices.disconnected('d', 'mqtt');
		devices.disconnected('never seen', 'mqtt');
		expect(devices.list(all)).toMatchObject([
			{ id: 'd', domainName: 'acme', transport: 'mqtt', connected: false, readings: 3 },
			{ id: 'd', transport: 'http', connected: true, readings: 1 },
		]);
		for (const { lastSeen } of devices.list(all)) expect(lastSeen).toBeGreaterThanOrEqual(before);
	});

	it('says what is wrong with a port until it is there, also with one that never was', () => {
		const devices = new Devices();
		devices.missing('/dev/x', undefined, 'serial', 'not plugged in');
		expect(find(devices, '/dev/x')).toMatchObject({ connected: false, trouble: 'not plugged in', lastSeen: 0 });
		devices.connected('/dev/x', 'acme', 'serial');
		expect(find(devices, '/dev/x')).toMatchObject({ connected: true, domainName: 'acme' });
		expect(find(devices, '/dev/x')).not.toHaveProperty('trouble');
	});

	it('counts the connections of a device: it is gone when the last one is', () => {
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

	it('is bounded: of ten thousand the one heard of longest ago is forgotten, and none that is connected', () => {
		const devices = new Devices();
		devices.connected('connected', 'acme', 'mqtt');
		for (let i = 0; i < 11_000; i++) devices.heard(`d${i}`, 'acme', 'http', 1);
		expect(devices.list(all).length).toBeLessThanOrEqual(10_000);
		expect(find(devices, 'connected')).toBeDefined();
		expect(find(devices, 'd10999')).toBeDefined();
		expect(find(devices, 'd0')).toBeUndefined();
	});
});
