import { type Running, start, startNode } from '@crowdvision/testing/processes';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { httpPeer } from './testing/http-peer.ts';
import { serialPeer } from './testing/serial-peer.ts';

const MAIN = 'firmware-sim/src/main.ts';

async function sim(args: string[]): Promise<Running> {
	const running = await startNode(MAIN, { args });
	onTestFinished(async () => void (await running.kill()));
	return running;
}

async function peers() {
	const [http, serial] = [await httpPeer(), await serialPeer()];
	for (const peer of [http, serial]) onTestFinished(() => peer.close());
	return {
		http,
		serial,
		args: [
			'--http',
			http.url,
			'--serial',
			serial.modem.a,
			'--device',
			'sim-1',
			'--token',
			'a-token',
			'--interval',
			'20',
		],
	};
}

describe('npm run sim', () => {
	it('sends the requested number of readings, through faults, and exits with 0 and a summary', async () => {
		const { http, serial, args } = await peers();
		const running = await sim([
			...args,
			'--count',
			'60',
			'--faults',
			'duplicate:0.2',
			'--crowd',
			'hall:99',
			'--hour',
			'10',
		]);
		expect(await running.exited).toEqual({ code: 0, signal: null });
		expect(running.stdout()).toMatch(
			/^60 readings · acknowledged 60 · waiting 0 .* duplicate \d+\n\d+ devices over serial, http, [\d.]+ s\n$/,
		);
		const numbers = [...http.accepted, ...serial.accepted].map(({ sensorId, seq }) => `${sensorId} ${seq}`);
		expect(new Set(numbers).size).toBe(60);
		expect(
			Math.max(...serial.accepted.filter(({ metric }) => metric === 'peopleIn').map(({ value }) => value)),
		).toBeGreaterThan(30);
		expect(running.stdout() + running.stderr()).not.toContain('a-token');
	});

	it('ends after the requested time and says why readings were refused', async () => {
		const { http, args } = await peers();
		http.answer = () => ({ status: 422, body: '{"error":{"code":"unknown_sensor"}}' });
		const running = await sim([...args, '--for', '400ms']);
		expect(await running.exited).toEqual({ code: 0, signal: null });
		expect(running.stderr()).toContain('HTTP 422 unknown_sensor');
		expect(running.stdout()).toMatch(/refused [1-9]/);
	});

	it('stops on SIGINT with a summary and exits with 0', async () => {
		const { http, args } = await peers();
		const running = await sim(args);
		await vi.waitFor(() => expect(http.accepted.length).toBeGreaterThan(5), { timeout: 20_000 });
		expect(await running.kill('SIGINT')).toEqual({ code: 0, signal: null });
		expect(running.stdout()).toMatch(/\d+ devices over serial, http/);
	});

	it('shows its help, and exits with 2 for a mistake', async () => {
		const help = await sim(['--help']);
		expect(await help.exited).toEqual({ code: 0, signal: null });
		for (const word of ['--http', '--faults', 'torn-frame', '--for']) expect(help.stdout()).toContain(word);
		const mistake = await sim(['--http', 'nonsense', '--token', 'x']);
		expect(await mistake.exited).toEqual({ code: 2, signal: null });
		expect(mistake.stderr()).toBe(
			'sim: --http is "nonsense", but must be a URL that begins with http:// or https://; see --help\n',
		);
		expect(mistake.stdout()).toBe('');
	});

	it('updates its status on one line of a terminal', async () => {
		const { args } = await peers();
		const line = [process.execPath, MAIN, ...args, '--count', '20'].join(' ');
		const running = await start('script', { args: ['-qefc', line, '/dev/null'] });
		onTestFinished(async () => void (await running.kill()));
		expect((await running.exited).code).toBe(0);
		expect(running.stdout()).toMatch(/\r.\[K\d+ readings · acknowledged \d+/);
	});
});
