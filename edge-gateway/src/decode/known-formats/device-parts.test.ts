import { describe, expect, it } from 'vitest';
import { chirpstackUplink, readingsIn, type Sent, thingsUplink } from '../../testing/decoded-messages.ts';
import { sparkplugPayload } from '../../testing/sparkplug-node.ts';
import { Vocabulary } from '../vendor/vocabulary.ts';

/** A room at 20 degC, in which a device has something that is at 61. */
const sparkplug = (part: string, room = 'Climate/temperature'): Sent => ({
	use: 'sparkplug-b',
	topic: 'spBv1.0/hq/DBIRTH/pi-1/hall',
	payload: sparkplugPayload({
		timestamp: 1.7e12,
		seq: 1,
		metrics: [
			{ name: part, double: 61 },
			{ name: room, double: 20 },
		],
	}),
});
const senml = (part: object, bn = 'urn:dev:x:'): Sent => ({
	use: 'senml',
	topic: 'POST /ingest',
	payload: [
		{ bn, n: 'temperature', u: 'Cel', v: 20 },
		{ u: 'Cel', v: 61, ...part },
	],
});
const tasmota = (part: string): Sent => ({
	use: 'tasmota',
	topic: 'tele/a/SENSOR',
	name: 'a',
	payload: { AM2301: { Temperature: 20 }, [part]: { Temperature: 61 } },
});
const zigbee = (part: object): Sent => ({
	use: 'zigbee2mqtt',
	topic: 'zigbee2mqtt/a',
	name: 'a',
	payload: { temperature: 20, ...part },
});
const shelly = (part: object): Sent => ({
	use: 'shelly',
	topic: 's/events/rpc',
	payload: { src: 's', method: 'NotifyStatus', params: { 'temperature:0': { id: 0, tC: 20 }, ...part } },
});
const valuesIn = (sent: Sent, vocabulary?: Vocabulary) =>
	readingsIn(sent, vocabulary).map((line) => Number(line.split(' ')[2]));

describe("P13 a device's own temperature", () => {
	it.each<[string, Sent]>([
		...[
			...['CPU/temperature', 'System/CPU/Temperature', 'CPU/Core 0/temperature', 'Chip/temperature', 'SoC/temperature'],
			...['Node/ESP32/temperature', 'ESP32-C3/temperature', 'mainBoard/temperature', 'Main Board/temperature'],
			...['Battery/temperature', 'Power Supply/PSU/temperature', 'Modem/temperature', 'thermal_zone0/cpu/temperature'],
			...['cpuTemp/temperature', 'NVMe/temperature', 'RP2040/temperature'],
		].map((name): [string, Sent] => [`${name} of Sparkplug`, sparkplug(name)]),
		...[
			...['cpu:temperature', 'cpu_temperature', 'core-0.temperature', 'soc/temperature', 'mcu:temperature'],
			...['board:temperature', 'battery:temperature', 'cpu_temp', 'chip:t', 'cpuTemp', 'mcu-temp', 'nvme0:temp'],
			...['setpoint', 'dew_point', 'soil', 'water-in', 'targetTemp'],
		].map((n): [string, Sent] => [`${n} of SenML`, senml({ n })]),
		['a base name of SenML that names the processor', senml({ bn: 'urn:dev:x:cpu:', n: 'temperature' })],
		...['ESP32', 'ESP8266', 'ESP32S3', 'AXP192', 'MPU6050'].map((key): [string, Sent] => [
			`${key} of Tasmota`,
			tasmota(key),
		]),
		['device_temperature of Zigbee2MQTT', zigbee({ device_temperature: 61 })],
		['cpu_temperature of Zigbee2MQTT', zigbee({ cpu_temperature: 61 })],
		['a switch of Shelly', shelly({ 'switch:0': { id: 0, output: true, temperature: { tC: 61, tF: 141.8 } } })],
		['a dimmer of Shelly', shelly({ 'light:0': { id: 0, temperature: { tC: 61 } } })],
		['a decoded uplink', thingsUplink({ temperature: 20, device_temperature: 61, chip_temperature: 61, cpu_temp: 61 })],
		['an uplink of ChirpStack', chirpstackUplink({ temperature: 20, board: { temperature: 61 }, internal_temp: 61 })],
		['a value of Decentlab', thingsUplink({ temperature: 20, cpu_temperature: { value: 61, unit: '°C' } })],
	])('is not that of the room: %s', (_what, sent) => {
		expect(valuesIn(sent)).toEqual([20]);
	});

	it.each<[string, Sent]>([
		...['Board Room/temperature', 'Battery Room/temperature', 'Hardcore/temperature', 'Chipping Hall/temperature'].map(
			(name): [string, Sent] => [`${name} of Sparkplug`, sparkplug('Sys/uptime', name)],
		),
		['a device of SenML that is called after its board', senml({ n: 'x', u: 'V' }, 'board-3:')],
		['a device of SenML that is called after its processor', senml({ n: 'x', u: 'V' }, 'esp32:')],
		['a device of SenML that is called a core', senml({ n: 'x', u: 'V' }, 'urn:dev:core:7:')],
	])('is not mistaken for it: %s', (_what, sent) => {
		expect(valuesIn(sent)).toEqual([20]);
	});

	it('is read as what a rule says that it is', () => {
		const rename = { 'CPU/temperature': { metric: 'battery' } };
		expect(readingsIn(sparkplug('CPU/temperature'), new Vocabulary({ rename }))).toEqual([
			'hq.pi-1.hall.CPU battery 61 1700000000000',
			'hq.pi-1.hall.Climate temperature 20 1700000000000',
		]);
	});
});
