import { CHANNELS } from '@crowdvision/contracts';
import { describe, expect, it } from 'vitest';
import { Presence, reportedAt } from './presence.ts';

const NOW = 1_764_000_000_000;
const HOUR = 3600_000;

describe('P13 right in meaning: a report of a device, by a gateway whose clock is ahead', () => {
	it.each([
		['an hour ago', NOW - HOUR, NOW - HOUR],
		['now', NOW, NOW],
		['less than a minute ahead, as the clocks of two machines differ', NOW + 59_000, NOW + 59_000],
		['more than a minute ahead', NOW + 61_000, NOW],
		['twenty hours ahead', NOW + 20 * HOUR, NOW],
	])('counts from %s', (_text, at, expected) => {
		expect(reportedAt({ at }, NOW)).toBe(expected);
	});

	it('takes the device offline at once', async () => {
		let tell = (_message: string) => {};
		const presence = new Presence(() => NOW);
		await presence.follow({
			listen: async (channel, handle) => {
				expect(channel).toBe(CHANNELS.devices);
				tell = handle;
				return { close: async () => {} };
			},
		});
		const event = { sensorId: 'door', buildingId: 'b1', gatewayId: 'pi', at: NOW + 20 * HOUR };
		tell(JSON.stringify({ ...event, state: 'offline' }));
		expect(presence.of('door', 'b1')).toEqual({ offlineAt: NOW });
		tell(JSON.stringify({ ...event, state: 'online', at: NOW + 1 }));
		expect(presence.of('door', 'b1')).toEqual({});
	});
});
