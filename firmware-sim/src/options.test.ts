import { describe, expect, it } from 'vitest';
import { readOptions, type SimOptions } from './options.ts';

const NOW = new Date('2026-11-22T08:15:00Z');
const GOOD = ['--http', 'http://127.0.0.1:8080', '--token', 'secret-token'];
const read = (args: string[], env: NodeJS.ProcessEnv = {}) => readOptions(args, env, NOW) as SimOptions;

describe("the simulator's command line", () => {
	it('has a default for everything except where to send and the credentials', () => {
		expect(read(GOOD)).toEqual({
			links: { http: { url: 'http://127.0.0.1:8080' } },
			building: {
				id: 'demo',
				rooms: [
					{ id: 'hall', capacity: 60 },
					{ id: 'lab', capacity: 30 },
				],
			},
			crowds: [],
			deviceId: '',
			token: 'secret-token',
			seed: 1,
			intervalMs: 1000,
			speed: 1,
			utcOffsetMinutes: -NOW.getTimezoneOffset(),
			faults: [],
			bufferSize: 1000,
			flashFile: undefined,
			count: undefined,
			forMs: undefined,
			verbose: false,
		});
	});

	it('accepts every option of the help', () => {
		const line =
			'--mqtt mqtt://127.0.0.1:1883 --socketio http://127.0.0.1:8080 --serial /dev/ttyUSB0 --framing cobs --checksum ' +
			'--name n1 --hello --device d1 --building b1 --rooms aula:5 --crowd aula:9 --seed 7 --hour 10.5 --speed 60 ' +
			'--interval 250 --buffer 10 --memory m.json --faults drop:0.1,duplicate --count 12 --for 1.5m --verbose';
		expect(read([...GOOD, ...line.split(' ')])).toEqual({
			links: {
				http: { url: 'http://127.0.0.1:8080' },
				mqtt: { url: 'mqtt://127.0.0.1:1883' },
				socketio: { url: 'http://127.0.0.1:8080' },
				serial: { path: '/dev/ttyUSB0', hello: true, framing: 'cobs', checksum: true, name: 'n1' },
			},
			building: { id: 'b1', rooms: [{ id: 'aula', capacity: 5 }] },
			crowds: [{ roomId: 'aula', count: 9 }],
			deviceId: 'd1',
			token: 'secret-token',
			seed: 7,
			intervalMs: 250,
			speed: 60,
			utcOffsetMinutes: 135,
			faults: ['drop:0.1', 'duplicate'],
			bufferSize: 10,
			flashFile: 'm.json',
			count: 12,
			forMs: 90_000,
			verbose: true,
		});
		expect(readOptions(['--help'], {}, NOW)).toBeUndefined();
		expect(read(GOOD.slice(0, 2), { SIM_TOKEN: 'from-env' }).token).toBe('from-env');
		expect(read(['--serial', '/dev/ttyUSB0']).token).toBe('');
	});

	it.each([
		[[], /at least one of --http, --mqtt, --socketio, --serial/],
		[['--http', 'http://x'], /--token is missing/],
		[['--serial', 'x', '--hello'], /--token is missing/],
		[['--mqtt', 'mqtt://x', '--token', 't'], /--device is missing/],
		[[...GOOD, '--speeed', '2'], /'--speeed'.*the options are --http .*--speed/],
		[[...GOOD, 'extra'], /extra/],
		[[...GOOD, '--seed'], /--seed/],
		[[...GOOD, '--seed', 'x'], /--seed is "x", but must be a whole number from 0 to 2147483647/],
		[[...GOOD, '--interval', '0'], /--interval is "0", but must be a whole number from 1/],
		[[...GOOD, '--speed', '0'], /--speed is "0", but must be a number from 0.001/],
		[[...GOOD, '--hour', '25'], /--hour is "25"/],
		[[...GOOD, '--rooms', 'hall'], /--rooms is "hall", but must be room:capacity pairs/],
		[[...GOOD, '--rooms', 'a:1,a:2'], /different names/],
		[[...GOOD, '--rooms', 'a/b:1'], /--rooms/],
		[[...GOOD, '--building', 'a#'], /--building is "a#"/],
		[[...GOOD, '--faults', 'drop:0.1,gremlins'], /--faults: fault "gremlins" must be one of drop/],
		[[...GOOD, '--for', '60'], /--for is "60", but must be a time such as/],
		[[...GOOD, '--count', '-1'], /--count/],
		[['--serial', 'x', '--framing', 'xml'], /--framing is "xml", but must be one of jsonl, csv, cobs/],
		[
			['--http', 'mqtt://x', '--token', 't'],
			/--http is "mqtt:\/\/x", but must be a URL that begins with http:\/\/ or https:\/\//,
		],
	])('rejects %j and says what is allowed', (args, message) => {
		expect(() => read(args as string[])).toThrow(message as RegExp);
	});

	it('never shows a token in an error', () => {
		try {
			read(['--token', 'secret-token', '--http', 'nonsense']);
			expect.unreachable();
		} catch (error) {
			expect(String(error)).not.toContain('secret-token');
		}
	});
});
