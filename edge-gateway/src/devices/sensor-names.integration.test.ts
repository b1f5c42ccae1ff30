import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger } from '@crowdvision/service-kit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { decodeTasmota } from '../decode/formats/tasmota.ts';
import { sensorIdFrom } from '../decode/vendor/sensor-id.ts';
import { Registry } from '../registry.ts';
import { candidatesIn, message } from '../testing/messages.ts';
import { Availability } from './availability.ts';
import { SensorNames } from './sensor-names.ts';
import { Timeouts } from './timeouts.ts';

const logger = createLogger('test', 'silent');
const SENDER = { id: 'z2m', domainName: 'acme' };

let dir: string;
let availability: Availability;
let registry: Registry;
let opened: SensorNames[] = [];
beforeEach(async () => {
	dir = await mkdtemp(join(tmpdir(), 'crowdvision-names-'));
	const timeouts = new Timeouts({});
	availability = Availability.open({
		path: join(dir, 'availability'),
		gatewayId: 'pi',
		domainsOf: () => ['acme'],
		timeouts,
		now: () => Date.now(),
		logger,
	});
	registry = Registry.open(join(dir, 'registry'));
	opened = [];
});
afterEach(async () => {
	for (const names of opened) await names.close();
	await availability.close();
	await registry.close();
	await rm(dir, { recursive: true });
});

function open(known: Pick<Availability, 'of'> = availability): SensorNames {
	const names = SensorNames.open({ path: join(dir, 'names'), registry, availability: known, logger });
	opened.push(names);
	return names;
}
/** A sensor that the version before heard by this topic. */
const heardBefore = (sensorId: string, source: string) =>
	availability.received(
		sensorId,
		'temperature',
		{ buildingId: 'b1', roomId: 'hall' },
		{ transport: 'mqtt', source, sender: SENDER },
		Date.now(),
	);
const idOf = (names: SensorNames, name: string, source = `zigbee2mqtt/${name}`) =>
	names.identify({ sensorId: sensorIdFrom(name), metric: 'temperature', value: 1 }, source, 'acme').sensorId;

describe('P13 the ids of sensors whose names are no ids', () => {
	it('are kept apart where the version before had made one of two names', () => {
		const names = open();
		const ids = ['客厅', '卧室', 'Küche', 'Köche', 'a b', 'a-b', 'a_b', 'a/b', 'a.b'].map((name) => idOf(names, name));
		expect(new Set(ids).size).toBe(9);
		for (const id of ids) expect(id).toMatch(/^[A-Za-z0-9._:-]{1,128}$/);
		expect(idOf(names, 'a-b')).toBe('a-b');
		expect(names.nameOf(String(ids[0]), 'acme')).toBe('客厅');
		expect(names.nameOf('a-b', 'acme')).toBeUndefined();
	});

	it('are the same for composed and decomposed letters, in any process', () => {
		expect(sensorIdFrom('Ku\u0308che')).toBe(sensorIdFrom('Küche'));
		expect(sensorIdFrom('hq', 'Küche', 'Climate')).toBe(`hq.${sensorIdFrom('Küche')}.Climate`);
	});

	it('stay those of the version before for the sensor that came by the same topic, across restarts', async () => {
		heardBefore('--', 'zigbee2mqtt/客厅');
		const first = open();
		expect(idOf(first, '卧室')).not.toBe('--');
		expect(idOf(first, '客厅')).toBe('--');
		expect(first.nameOf('--', 'acme')).toBe('客厅');
		await first.close();
		// The file of states may be lost; the file of names says it still.
		const again = open();
		expect(idOf(again, '客厅', 'another/topic')).toBe('--');
		expect(idOf(again, '卧室')).not.toBe('--');
		expect(again.nameOf('--', 'acme')).toBe('客厅');
	});

	it('stay those of the version before for a name with levels; one whose name is that id gets another', async () => {
		heardBefore('attic-th', 'zigbee2mqtt/attic/th');
		const names = open();
		expect(idOf(names, 'attic/th')).toBe('attic-th');
		const other = idOf(names, 'attic-th');
		expect(other).toMatch(/^attic-th-[0-9a-f]{6}$/);
		expect(names.nameOf(String(other), 'acme')).toBe('attic-th');
		await names.close();
		// Nothing is heard of the first one for so long that it is forgotten.
		const again = open({ of: () => [] });
		expect(idOf(again, 'attic-th')).toBe(other);
		expect(idOf(again, 'attic/th')).toBe('attic-th');
		// An id that a sender states is that id.
		expect(again.identify({ sensorId: 'attic-th' }, 'telemetry/b1/hall/attic-th', 'acme', false).sensorId).toBe(
			'attic-th',
		);
	});

	it('stay those of the version before for probes that were known by position, when one fails later', async () => {
		for (const at of [1, 2, 3]) heardBefore(`kiln.DS18B20-${at}`, 'tele/kiln/SENSOR');
		const idsOf = (names: SensorNames, sensors: Record<string, string>) => {
			const telemetry = Object.entries(sensors).map(([key, Id]) => [key, { Id, Temperature: 20 }]);
			const decoding = decodeTasmota(message('tele/kiln/SENSOR', Object.fromEntries(telemetry), 'kiln'));
			return candidatesIn(decoding).map((one) => names.identify(one, 'tele/kiln/SENSOR', 'acme').sensorId);
		};
		const first = open();
		const all = { 'DS18B20-1': '0A', 'DS18B20-2': '0B', 'DS18B20-3': '0C' };
		expect(idsOf(first, all)).toEqual(['kiln.DS18B20-1', 'kiln.DS18B20-2', 'kiln.DS18B20-3']);
		await first.close();
		// After a restart the decoder has forgotten the positions, and the first probe has failed meanwhile.
		for (let at = 0; at < 20_001; at++) sensorIdFrom(`another name ${at}`);
		const again = open();
		expect(idsOf(again, { 'DS18B20-1': '0B', 'DS18B20-2': '0C' })).toEqual(['kiln.DS18B20-2', 'kiln.DS18B20-3']);
		expect(idsOf(again, { DS18B20: '0C' })).toEqual(['kiln.DS18B20-3']);
		// A new probe in the place of the failed one is a new sensor.
		expect(idsOf(again, { 'DS18B20-1': '0D', 'DS18B20-2': '0B', 'DS18B20-3': '0C' })).toEqual([
			'kiln.DS18B20.0D',
			'kiln.DS18B20-2',
			'kiln.DS18B20-3',
		]);
	});

	it('are new where the id of the version before was that of another device', () => {
		heardBefore('Living-Room', 'zigbee2mqtt/Living-Room');
		const names = open();
		expect(idOf(names, 'Living Room')).not.toBe('Living-Room');
		expect(idOf(names, 'Living-Room')).toBe('Living-Room');
	});

	it('P14 stay those of the version before for each tenant by itself', async () => {
		const of: Availability['of'] = (sensorId, tenant = 'acme') =>
			sensorId !== 'attic-th' || tenant === 'initech'
				? []
				: [{ sensorId, source: 'zigbee2mqtt/attic/th', domainName: tenant } as ReturnType<Availability['of']>[number]];
		const names = () => {
			const shared = { home: 'acme', sensor: () => undefined };
			const one = SensorNames.open({ path: join(dir, 'names'), registry: shared, availability: { of }, logger });
			opened.push(one);
			return one;
		};
		const idIn = (one: SensorNames, domain: string, name: string) =>
			one.identify({ sensorId: sensorIdFrom(name) }, `zigbee2mqtt/${name}`, domain).sensorId;
		const first = names();
		for (const domain of ['acme', 'globex', 'globex/labs']) expect(idIn(first, domain, 'attic/th')).toBe('attic-th');
		expect(idIn(first, 'initech', 'attic/th')).not.toBe('attic-th');
		// Another sensor whose name is that id, of one of the tenants.
		expect(idIn(first, 'globex', 'attic-th')).not.toBe('attic-th');
		await first.close();
		const again = names();
		expect(idIn(again, 'globex', 'attic/th')).toBe('attic-th');
		expect(idIn(again, 'globex', 'attic-th')).not.toBe('attic-th');
		expect(idIn(again, 'initech', 'attic-th')).toBe('attic-th');
	});

	it('cover what a Sparkplug node says of its devices, also under the ids that these keep', () => {
		heardBefore('hq.k-che.Climate', 'spBv1.0/hq/NDATA/küche');
		const names = open();
		const sensorId = sensorIdFrom('hq', 'küche', 'Climate');
		expect(names.identify({ sensorId }, 'spBv1.0/hq/NBIRTH/küche', 'acme').sensorId).toBe('hq.k-che.Climate');
		const told = { state: 'offline', of: { kind: 'sensor', ids: [sensorIdFrom('hq', 'küche')], below: true } } as const;
		expect(names.presence(told).of).toMatchObject({ ids: [sensorIdFrom('hq', 'küche'), 'hq.k-che.Climate'] });
	});
});
