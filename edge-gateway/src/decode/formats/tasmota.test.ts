import { describe, expect, it } from 'vitest';
import { candidatesIn, message } from '../../testing/messages.ts';
import { decodeTasmota } from './tasmota.ts';

const sensor = (payload: unknown, topic = 'tele/TH16/SENSOR', name = 'TH16') =>
	decodeTasmota(message(topic, payload, name));

describe('decodeTasmota', () => {
	// tasmota.github.io/docs/AM2301, "Sensor sends a tele/%topic%/SENSOR JSON response".
	it('reads an AM2301 as in the documentation', () => {
		expect(
			candidatesIn(
				sensor({ Time: '2019-01-01T00:00:00', AM2301: { Temperature: 24.6, Humidity: 58.2 }, TempUnit: 'C' }),
			),
		).toEqual([
			{ sensorId: 'TH16.AM2301', metric: 'temperature', value: 24.6, unit: 'C' },
			{ sensorId: 'TH16.AM2301', metric: 'humidity', value: 58.2 },
		]);
	});

	// Tasmota's release notes, "Rewrite JSON resulting in shorter message".
	it('reads several probes of one kind as sensors of their own, by the id that each says', () => {
		const payload = {
			Time: '2020-01-26T17:45:30',
			'DS18B20-1': { Id: '00000483C23A', Temperature: 19.5 },
			'DS18B20-2': { Id: '0000048EC44C', Temperature: 19.6 },
			TempUnit: 'C',
		};
		expect(candidatesIn(sensor(payload)).map(({ sensorId, value }) => [sensorId, value])).toEqual([
			['TH16.DS18B20.00000483C23A', 19.5],
			['TH16.DS18B20.0000048EC44C', 19.6],
		]);
	});

	it('applies the units that the message names', () => {
		const payload = { BME280: { Temperature: 70, Humidity: 40, Pressure: 753.3 }, TempUnit: 'F', PressureUnit: 'mmHg' };
		const [temperature, , pressure] = candidatesIn(sensor(payload));
		expect(temperature).toMatchObject({ value: 70, unit: 'F' });
		expect(pressure!.value).toBeCloseTo(1004.317, 2);
		expect(pressure!.unit).toBeUndefined();
		expect(candidatesIn(sensor({ BMP280: { Pressure: 1000 }, PressureUnit: 'hPa' }))[0]).toMatchObject({
			value: 1000,
			unit: 'hPa',
		});
	});

	it('reads air quality, but neither calculated values nor null', () => {
		const payload = {
			MHZ19B: { Model: 'B', CarbonDioxide: 424, Temperature: null },
			SGP30: { eCO2: 450, TVOC: 125 },
			PMS5003: { 'PM2.5': 9, PM10: 12 },
			BH1750: { Illuminance: 0 },
		};
		expect(candidatesIn(sensor(payload)).map(({ sensorId, metric, value }) => [sensorId, metric, value])).toEqual([
			['TH16.MHZ19B', 'co2', 424],
			['TH16.SGP30', 'voc', 125],
			['TH16.PMS5003', 'pm25', 9],
			['TH16.PMS5003', 'pm10', 12],
			['TH16.BH1750', 'illuminance', 0],
		]);
	});

	it('reads the time only with an offset, as the zone of a local time is unknown', () => {
		const timed = (Time: string) => candidatesIn(sensor({ Time, AM2301: { Humidity: 50 } }))[0]!.observedAt;
		expect(timed('2026-11-28T13:00:00+01:00')).toBe('2026-11-28T13:00:00+01:00');
		expect(timed('2026-11-28T13:00:00')).toBeUndefined();
	});

	it('leaves out the chip temperature, energy meters and switches', () => {
		expect(sensor({ ESP32: { Temperature: 51.1 }, ENERGY: { Power: 5 }, Switch1: 'ON', ANALOG: { A0: 5 } })).toBe(
			'no_metric',
		);
		expect(sensor({ 'ESP32-1': { Temperature: 51.1 }, TempUnit: 'C' })).toBe('no_metric');
	});

	it('finds the device name under any FullTopic', () => {
		const sensorOf = (topic: string, name: string) =>
			candidatesIn(sensor({ AM2301: { Humidity: 50 } }, topic, name))[0]!.sensorId;
		expect(sensorOf('hall/th/tele/SENSOR', 'hall/th')).toBe('hall-th-37d909.AM2301');
		expect(sensorOf('tele/th/SENSOR', 'th/SENSOR')).toBe('th.AM2301');
	});

	it.each(['tele/TH16/STATE', 'tele/TH16/LWT', 'tele/TH16/INFO1'])('finds no reading in %s', (topic) => {
		expect(sensor('Online', topic)).toBe('not_telemetry');
	});
});
