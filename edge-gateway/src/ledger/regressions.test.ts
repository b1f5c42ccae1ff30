import { describe, expect, it } from 'vitest';
import { Regressions } from './regressions.ts';

const acme = { source: 'mqtt acme/7/uplink hub', part: 'decoder acme/+/uplink' };
const port = { source: 'serial /dev/ttyUSB0 /dev/ttyUSB0', part: 'serial /dev/ttyUSB0' };

describe('P13 what a configuration can be blamed for', () => {
	it('is no sensor that was never taken', () => {
		const regressions = new Regressions();
		for (let i = 0; i < 12; i++) regressions.refused(acme, 'new');
		regressions.refused(acme, undefined);
		expect([regressions.lost, regressions.parts()]).toEqual([0, new Map()]);
	});

	it('is no stranger on a source of which others are still taken', () => {
		const regressions = new Regressions();
		regressions.configured();
		regressions.took(acme);
		regressions.refused(acme, 'new');
		expect(regressions.lost).toBe(0);
	});

	it('is a sensor that has sent before, whatever its message came by', () => {
		const regressions = new Regressions();
		regressions.refused({ source: 'mqtt telemetry/b1/hall/door hub', part: undefined }, 'known');
		regressions.refused(port, 'known');
		expect([regressions.lost, regressions.parts()]).toEqual([2, new Map([[port.part, { taken: 0, lost: 1 }]])]);
	});

	it('is a source that was taken, and whose messages cannot be read any more', () => {
		const regressions = new Regressions();
		regressions.took(acme);
		regressions.configured();
		regressions.refused(acme, undefined);
		expect(regressions.parts().get(acme.part)).toEqual({ taken: 1, lost: 1 });
	});

	it('is a source whose sensors are all strangers since the configuration has changed', () => {
		const regressions = new Regressions();
		regressions.took(acme);
		regressions.configured();
		regressions.refused(acme, 'new');
		regressions.took(acme);
		regressions.refused(acme, 'new');
		expect(regressions.parts().get(acme.part)).toEqual({ taken: 2, lost: 1 });
	});

	it('is counted for the rule that took the source before, also if none or another takes it now', () => {
		const regressions = new Regressions();
		regressions.took(acme);
		regressions.configured();
		regressions.refused({ ...acme, part: undefined }, undefined);
		regressions.refused({ ...acme, part: 'decoder acme/#' }, undefined);
		expect(regressions.parts()).toEqual(
			new Map([
				[acme.part, { taken: 1, lost: 2 }],
				['decoder acme/#', { taken: 0, lost: 1 }],
			]),
		);
	});
});
