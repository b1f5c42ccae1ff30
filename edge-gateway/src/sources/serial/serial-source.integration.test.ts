import { createLogger } from '@crowdvision/service-kit';
import { waitFor } from '@crowdvision/testing/wait';
import { expect, it, onTestFinished } from 'vitest';
import type { Credentials } from '../../access/credentials.ts';
import { Devices } from '../../devices/devices.ts';
import { CommandChannels } from '../../downlink/command-channels.ts';
import { serialLine } from '../../testing/serial-line.ts';
import { SerialSource } from './serial-source.ts';

it('an update of the serial ports leaves unchanged ones open, closes removed ones and opens new ones', async () => {
	const [unchanged, removed, added] = [await serialLine(), await serialLine(), await serialLine()];
	const devices = new Devices();
	const isConnected = (path: string) => devices.list(({ id }) => id === path)[0]?.connected;
	const entry = ({ path }: { path: string }) => ({ path, defaults: { sensorId: 's', buildingId: 'b', roomId: 'r' } });
	const source = new SerialSource([entry(unchanged), entry(removed)], '/', {
		// No port of this test asks for a token.
		credentials: undefined as unknown as Credentials,
		devices,
		channels: new CommandChannels(() => false),
		refuse: (_frame, error) => Promise.reject(error),
		ignore: () => undefined,
		logger: createLogger('test', 'silent'),
	});
	onTestFinished(() => source.stop());
	const values: unknown[] = [];
	await source.start(({ parsed }, onDurable) => onDurable(undefined, values.push(parsed)));
	await waitFor('both ports to be open', () => isConnected(unchanged.path) && isConnected(removed.path));
	await source.update([entry(added), entry(unchanged)]);
	await waitFor('the new port to be open', () => isConnected(added.path));
	expect([isConnected(removed.path), isConnected(unchanged.path)]).toEqual([false, true]);
	for (const line of [unchanged, added]) await line.send({ metric: 'co2', value: 1, seq: 1 });
	for (const line of [unchanged, added]) await line.answered('ACK 1');
	expect(values).toHaveLength(2);
	expect(source.counts().get(unchanged.path)).toMatchObject({ opened: 1, frames: 1 });
	await source.update([]);
	expect(isConnected(unchanged.path)).toBe(false);
	expect(source.trouble()).toBeUndefined();
});
