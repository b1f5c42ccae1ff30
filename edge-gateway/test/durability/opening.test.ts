import { createHook } from 'node:async_hooks';
import { readdirSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Lifecycle } from '@crowdvision/service-kit';
import { freePort } from '@crowdvision/testing/ports';
import { afterAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { type GatewayWorldOptions, openGatewayWorld } from '../../src/testing/gateway-world.ts';

/** What a gateway may hold open, as Node's async hooks call it. */
const KINDS = new Set(['Timeout', 'TCPSERVERWRAP', 'PIPESERVERWRAP', 'FSEVENTWRAP', 'WORKER']);
const OURS = /\/(edge-gateway|packages|node_modules\/aedes)\//;

/** Handles of the code under test that are open now, by async id: what each is, and where it came from. */
const held = new Map<number, string>();
const hook = createHook({
	init(id, kind) {
		if (!KINDS.has(kind)) return;
		const { stackTraceLimit } = Error;
		Error.stackTraceLimit = 40;
		const lines = new Error(kind).stack!.split('\n');
		Error.stackTraceLimit = stackTraceLimit;
		// The timer of AbortSignal.timeout cannot be cleared, keeps no process alive, and ends by itself.
		if (lines.some((line) => line.includes('abort_controller'))) return;
		const stack = lines.filter((line) => OURS.test(line) && !line.includes('.test.ts'));
		if (stack.length > 0) held.set(id, `${kind} of ${stack[0]!.trim()}`);
	},
	destroy: (id) => void held.delete(id),
}).enable();
afterAll(() => void hook.disable());

const openFiles = () => readdirSync('/proc/self/fd').length;

/** Everything a gateway can hold: all transports, a bridge, and Home Assistant. */
async function everything(): Promise<GatewayWorldOptions> {
	const nobody = await freePort();
	return {
		settings: {
			bridges: [{ name: 'campus', url: `mqtt://127.0.0.1:${nobody}`, topics: [{ pattern: 'telemetry/#' }] }],
			homeAssistant: { enabled: true, user: 'ha' },
			recorder: { disk: true },
		},
	};
}

/** Counts the steps that are opened; the given one fails right after it was. Counts every lifecycle of the process. */
function failAtStep(failing = Number.POSITIVE_INFINITY): { names: string[] } {
	const names: string[] = [];
	const register = Lifecycle.prototype.onStop;
	const spy = vi.spyOn(Lifecycle.prototype, 'onStop').mockImplementation(function (this: Lifecycle, name, stop) {
		register.call(this, name, stop);
		if (names.push(name) === failing) throw new Error(`no further than ${name}`);
	});
	onTestFinished(() => spy.mockRestore());
	return { names };
}

/** Nothing that was opened since is open: no timer, port, socket, watch, thread or file. */
async function expectNothingHeld(filesBefore: number): Promise<void> {
	await vi.waitFor(() => expect([...held.values()]).toEqual([]), { timeout: 5000 });
	await vi.waitFor(() => expect(openFiles()).toBeLessThanOrEqual(filesBefore), { timeout: 5000 });
}

describe('a gateway that cannot be opened', () => {
	it('leaves nothing open, at whichever step opening fails', { timeout: 120_000 }, async () => {
		// The first one loads what later ones share.
		await (await openGatewayWorld(await everything())).stop();
		await expectNothingHeld(Number.POSITIVE_INFINITY);
		const before = openFiles();
		const whole = failAtStep();
		const world = await openGatewayWorld(await everything());
		expect(held.size).toBeGreaterThan(5);
		await world.stop();
		await expectNothingHeld(before);
		expect(whole.names).toEqual(expect.arrayContaining(['log', 'registry', 'bridges', 'control socket', 'ways in']));
		vi.restoreAllMocks();

		for (const [index, name] of whole.names.entries()) {
			const { names } = failAtStep(index + 1);
			await expect(openGatewayWorld(await everything())).rejects.toThrow(`no further than ${name}`);
			expect(names.at(-1)).toBe(name);
			await expectNothingHeld(before);
			vi.restoreAllMocks();
		}
	});

	it.each(['rejected', 'room-audit', 'sessions'])(
		'leaves nothing open when its folder "%s" cannot be opened',
		async (name) => {
			const dataDir = await mkdtemp(join(tmpdir(), 'crowdvision-in-the-way-'));
			onTestFinished(() => rm(dataDir, { recursive: true, force: true }));
			await mkdir(join(dataDir, 'gateway'));
			await writeFile(join(dataDir, 'gateway', name), 'a file where the folder should be');
			const before = openFiles();
			await expect(openGatewayWorld({ ...(await everything()), copyOf: dataDir })).rejects.toThrow(/EEXIST|ENOTDIR/);
			await expectNothingHeld(before);
		},
	);

	it('leaves nothing open when another process listens on its MQTT port', async () => {
		const other = createServer();
		await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
		onTestFinished(() => new Promise<void>((resolve) => other.close(() => resolve())));
		const { port } = other.address() as { port: number };
		const { settings } = await everything();
		const before = openFiles();
		await expect(openGatewayWorld({ settings: { ...settings, mqttPort: port } })).rejects.toThrow(`MQTT port ${port}`);
		await expectNothingHeld(before);
	});
});
