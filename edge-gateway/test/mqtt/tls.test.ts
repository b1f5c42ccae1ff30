import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { createLogger } from '@crowdvision/service-kit';
import { findProgram } from '@crowdvision/testing/processes';
import { waitFor } from '@crowdvision/testing/wait';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { TlsFiles } from '../../src/sources/mqtt/connection/tls-files.ts';
import { type GatewayWorld, openGatewayWorld } from '../../src/testing/gateway-world.ts';
import { mqttClient } from '../../src/testing/mqtt-clients.ts';

const TOPIC = 'telemetry/b1/hall/s/co2';

let dir: string;
beforeAll(() => {
	dir = mkdtempSync(join(tmpdir(), 'crowdvision-mqtts-'));
	for (const ca of ['ca', 'other-ca'])
		openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', `/CN=${ca}`, ...pair(ca));
	certify('server', 'ca', 'one');
	certify('client', 'ca', 'a client');
	certify('stranger', 'other-ca', 'a stranger');
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const file = (name: string) => join(dir, name);
const pair = (name: string) => ['-keyout', file(`${name}.key`), '-out', file(`${name}.pem`)];
const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'pipe' });

/** A certificate for this machine, signed by an authority. */
function certify(name: string, ca: string, organization: string): void {
	openssl(
		'req',
		'-newkey',
		'rsa:2048',
		'-nodes',
		'-subj',
		`/O=${organization}/CN=localhost`,
		'-keyout',
		file(`${name}.key`),
		'-out',
		file('request'),
	);
	writeFileSync(file('extensions'), 'subjectAltName=DNS:localhost,IP:127.0.0.1');
	const signed = [
		'-CA',
		file(`${ca}.pem`),
		'-CAkey',
		file(`${ca}.key`),
		'-CAcreateserial',
		'-days',
		'2',
		'-extfile',
		file('extensions'),
	];
	openssl('x509', '-req', '-in', file('request'), '-out', file(`${name}.pem`), ...signed);
}

async function gateway(tls: { ca?: string } = {}): Promise<{ world: GatewayWorld; token: string; port: number }> {
	const world = await openGatewayWorld({
		settings: { mqttTls: { port: 0, cert: file('server.pem'), key: file('server.key'), ...tls } },
	});
	onTestFinished(() => world.stop());
	return { world, token: await world.token('d', { sensorIds: ['s'] }), port: world.gateway.mqttsPort()! };
}

/** Runs the real mosquitto_pub; resolves with its exit code and output. */
function mosquittoPub(token: string, ...args: string[]): Promise<{ code: number; output: string }> {
	const program = findProgram('mosquitto_pub');
	if (!program) throw new Error('mosquitto_pub is not installed');
	const message = ['-u', 'd', '-P', token, '-t', TOPIC, '-m', '417', '-q', '1', ...args];
	return new Promise((resolve) => {
		execFile(program, message, { timeout: 20_000 }, (error, stdout, stderr) => {
			resolve({ code: error ? Number(error.code ?? -1) : 0, output: stdout + stderr });
		});
	});
}

/** The organization in the certificate that a port presents. */
async function certificateOn(port: number): Promise<string> {
	const socket = connect({
		host: '127.0.0.1',
		port,
		servername: 'localhost',
		ca: [execFileSync('cat', [file('ca.pem')])],
	});
	socket.on('error', () => undefined);
	try {
		return await waitFor('the certificate', () =>
			socket.authorized ? (socket.getPeerCertificate().subject.O as string) : undefined,
		);
	} finally {
		socket.destroy();
	}
}

describe('MQTT over TLS', () => {
	it('stores readings from a real client that trusts the authority, and none from one that does not', async () => {
		const { world, token, port } = await gateway();
		const to = ['-h', 'localhost', '-p', String(port)];
		expect(await mosquittoPub(token, ...to, '--cafile', file('ca.pem'))).toMatchObject({ code: 0 });
		expect((await mosquittoPub(token, ...to, '--cafile', file('other-ca.pem'))).code).not.toBe(0);
		expect((await mosquittoPub(token, ...to)).code).not.toBe(0);
		expect((await world.stored()).map(({ value }) => value)).toEqual([417]);
	});

	it('with ca set admits only clients with a certificate that this authority signed', async () => {
		const { world, token, port } = await gateway({ ca: file('ca.pem') });
		const to = ['-h', 'localhost', '-p', String(port), '--cafile', file('ca.pem')];
		const as = (name: string) => ['--cert', file(`${name}.pem`), '--key', file(`${name}.key`)];
		expect((await mosquittoPub(token, ...to)).code).not.toBe(0);
		expect((await mosquittoPub(token, ...to, ...as('stranger'))).code).not.toBe(0);
		expect(await world.stored()).toEqual([]);
		expect(await mosquittoPub(token, ...to, ...as('client'))).toMatchObject({ code: 0 });
		expect(await world.stored()).toHaveLength(1);
	});

	it('presents a renewed certificate to new clients, ends no connection, and ignores unusable files', async () => {
		const { token, port } = await gateway();
		const client = await mqttClient(`mqtts://localhost:${port}`, 'd', token, {
			ca: execFileSync('cat', [file('ca.pem')]),
		});
		let ended = false;
		client.on('close', () => {
			ended = true;
		});
		expect(await certificateOn(port)).toBe('one');
		certify('server', 'ca', 'two');
		await waitFor('the renewed certificate', async () => (await certificateOn(port)) === 'two');
		writeFileSync(file('server.pem'), 'no certificate');
		await client.publishAsync(TOPIC, '1', { qos: 1 });
		certify('server', 'ca', 'three');
		await waitFor('the next one', async () => (await certificateOn(port)) === 'three');
		await client.publishAsync(TOPIC, '2', { qos: 1 });
		expect(ended).toBe(false);
	});

	it('does not start without its files; the error names the setting and the file', async () => {
		const logger = createLogger('test', 'silent');
		const read = (paths: { cert: string; key: string; ca?: string }) => new TlsFiles(paths, logger).read();
		expect(() => read({ cert: file('none.pem'), key: file('server.key') })).toThrow(
			/^sources\.mqtt\.tls\.cert is ".*none\.pem", which cannot be read: ENOENT/,
		);
		expect(() => read({ cert: file('server.pem'), key: file('none.key') })).toThrow(/^sources\.mqtt\.tls\.key is/);
		expect(() => read({ cert: file('server.pem'), key: file('client.key') })).toThrow(
			/do not fit together as a certificate/,
		);
		await expect(
			openGatewayWorld({ settings: { mqttTls: { port: 0, cert: file('none.pem'), key: file('server.key') } } }),
		).rejects.toThrow(/tls\.cert/);
	});
});

it('a real client of MQTT 5 reports that its protocol version is not supported', async () => {
	const world = await openGatewayWorld();
	onTestFinished(() => world.stop());
	const to = ['-h', '127.0.0.1', '-p', String(world.gateway.mqttPort())];
	const { code, output } = await mosquittoPub(await world.token('d', { sensorIds: ['s'] }), ...to, '-V', '5');
	expect(code).not.toBe(0);
	expect(output).toMatch(/unsupported protocol version/i);
});

it('readings over TLS that differ from an earlier one only in their numbers are stored past the broker', async () => {
	const { world, token, port } = await gateway();
	const client = await mqttClient(`mqtts://localhost:${port}`, 'd', token, { rejectUnauthorized: false });
	for (let seq = 0; seq < 20; seq++)
		await client.publishAsync(TOPIC, JSON.stringify({ value: 400 + seq, seq }), { qos: 1 });
	expect((await world.stored()).map(({ seq }) => seq)).toEqual(Array.from({ length: 20 }, (_, seq) => seq));
	expect(await world.metric('gateway_mqtt_fast_lane_total', { way: 'shape' })).toBeGreaterThan(15);
});
