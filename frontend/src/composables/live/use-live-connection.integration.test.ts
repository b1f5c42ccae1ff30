import { beforeEach, describe, expect, it } from 'vitest';
import { fakeClock, until } from '../../testing/fake-clock.ts';
import { mount } from '../../testing/mount.ts';
import { socketService } from '../../testing/socket-service.ts';
import { useLiveConnection } from './use-live-connection.ts';

beforeEach(() => fakeClock());

describe('the live connection of the page', () => {
	it('has a status that follows it, and ends with the page', async () => {
		const service = await socketService();
		const ignore = () => {};
		const handlers = {
			telemetry: ignore,
			notification: ignore,
			device: ignore,
			superseded: ignore,
			refused: ignore,
			connected: ignore,
		};
		const { result, unmount } = mount(() => useLiveConnection(handlers));
		expect(result.status.value.state).toBe('connecting');
		await until('live', () => result.status.value.state === 'live');
		expect(service.sockets).toHaveLength(1);
		unmount();
		await until('the end of the connection', () => service.sockets.length === 0);
	});
});
