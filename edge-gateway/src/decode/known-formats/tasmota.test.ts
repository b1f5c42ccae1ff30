import { describe, expect, it } from 'vitest';
import { type Row, readingsIn, type Sent } from '../../testing/decoded-messages.ts';

const tasmota = (payload: object): Sent => ({ use: 'tasmota', topic: 'tele/attic/SENSOR', name: 'attic', payload });

describe('P13 known formats: Tasmota', () => {
	it.each<Row>([
		[
			'a device behind a Zigbee gateway, by its address',
			tasmota({
				ZbReceived: { '0x1B2C': { Device: '0x1B2C', Name: 'Porch', Temperature: 8.31, Endpoint: 1, LinkQuality: 60 } },
			}),
			['attic.0x1B2C temperature 8.31 C'],
		],
		[
			'a Zigbee device under its name (SetOption83), also by its address',
			tasmota({ ZbReceived: { Porch: { Device: '0x1B2C', Name: 'Porch', Humidity: 71.5, BatteryPercentage: 83 } } }),
			['attic.0x1B2C humidity 71.5', 'attic.0x1B2C battery 83'],
		],
		[
			'three probes, by their ids',
			tasmota({
				'DS18B20-1': { Id: '0114550A', Temperature: 4 },
				'DS18B20-2': { Id: '0114661B', Temperature: 21 },
				'DS18B20-3': { Id: '0114772C', Temperature: 55 },
				TempUnit: 'C',
			}),
			[
				'attic.DS18B20.0114550A temperature 4 C',
				'attic.DS18B20.0114661B temperature 21 C',
				'attic.DS18B20.0114772C temperature 55 C',
			],
		],
		[
			'the same probes after the first failed and the others moved up',
			tasmota({ 'DS18B20-1': { Id: '0114661B', Temperature: 21 }, 'DS18B20-2': { Id: '0114772C', Temperature: 55 } }),
			['attic.DS18B20.0114661B temperature 21 C', 'attic.DS18B20.0114772C temperature 55 C'],
		],
		[
			'the last of them, whose key has no number any more',
			tasmota({ DS18B20: { Id: '0114772C', Temperature: 55 } }),
			['attic.DS18B20.0114772C temperature 55 C'],
		],
		[
			'sensors of one kind that have no id, by their key',
			tasmota({ 'SI7021-00': { Temperature: 17.1 }, 'SI7021-02': { Temperature: 18 } }),
			['attic.SI7021-00 temperature 17.1 C', 'attic.SI7021-02 temperature 18 C'],
		],
	])('reads %s', (_what, sent, expected) => {
		expect(readingsIn(sent)).toEqual(expected);
	});
});
