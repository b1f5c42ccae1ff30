import type { Alert, DeviceEvent, ReadingWithCursor } from '@crowdvision/contracts';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { fakeClock, until } from '../testing/fake-clock.ts';
import { ACCEPTED, refusal, type SocketService, socketService } from '../testing/socket-service.ts';
import { connectLive, type LiveConnection, type LiveHandlers, type LiveStatus } from './live.ts';

interface Page {
	live: LiveConnection;
	statuses: LiveStatus[];
	refused: string[];
	/** Number of `connected` events. */
	connections: number;
	handlers: LiveHandlers;
}

let service: SocketService;

beforeEach(async () => {
	fakeClock();
	// The shortest delay: half of the back-off's upper bound. The delay that socket.io takes by itself is not shortened.
	vi.spyOn(Math, 'random').mockReturnValue(0);
	onTestFinished(() => void vi.restoreAllMocks());
	service = await socketService();
});

function openPage(): Page {
	const page: Omit<Page, 'live' | 'handlers'> = { statuses: [], refused: [], connections: 0 };
	const handlers: LiveHandlers = {
		status: (status) => page.statuses.push(status),
		refused: (code) => page.refused.push(code),
		connected: () => {
			page.connections += 1;
		},
		telemetry: vi.fn(),
		notification: vi.fn(),
		device: vi.fn(),
		superseded: vi.fn(),
	};
	const live = connectLive(handlers);
	onTestFinished(() => live.close());
	return Object.assign(page, { live, handlers });
}

const states = (page: Page) => page.statuses.map(({ state }) => state);
const isState = (page: Page, state: LiveStatus['state']) => until(state, () => page.statuses.at(-1)?.state === state);
const subscribed = (times: number) => until(`${times} subscriptions`, () => service.subscriptions.length >= times);

/** A page that follows building `b` from the cursor `cursor.value`, and is live. */
async function openLivePage(cursor = { value: 'c1' }): Promise<Page> {
	const page = openPage();
	page.live.follow('b', () => cursor.value);
	await isState(page, 'live');
	return page;
}

/** Resolves when the page has received all that the service has sent it so far. */
async function everythingReceived({ handlers }: Page): Promise<void> {
	const marks = vi.mocked(handlers.telemetry).mock.calls;
	const before = marks.length;
	await new Promise((resume) => setImmediate(resume));
	service.sockets[0]!.emit('telemetry', []);
	await until('the last event', () => marks.length > before);
}

/** Ends the connection of the page as a broken network does. */
async function breakConnection(page: Page): Promise<void> {
	for (const socket of service.sockets) socket.conn.close();
	await isState(page, 'reconnecting');
}

describe('P12 the live connection', () => {
	it('subscribes from the cursor once it is connected, and is live when the service has answered', async () => {
		const page = await openLivePage();
		expect(service.subscriptions).toEqual([{ buildingId: 'b', cursor: 'c1' }]);
		expect(page.connections).toBe(1);
		expect(page.statuses).toEqual([{ state: 'live', since: Date.now() }]);
	});

	it('subscribes without a cursor when there is none yet', async () => {
		const page = openPage();
		page.live.follow('b', () => undefined);
		await isState(page, 'live');
		expect(service.subscriptions).toEqual([{ buildingId: 'b' }]);
	});

	it('is live without a subscription when no building is followed', async () => {
		await isState(openPage(), 'live');
		expect(service.subscriptions).toEqual([]);
	});

	it('passes on every event of the service', async () => {
		const { handlers } = await openLivePage();
		const reading = { id: 'r1' } as ReadingWithCursor;
		const alert = { id: 'a1' } as Alert;
		const event: DeviceEvent = { sensorId: 's', state: 'offline', at: 1, gatewayId: 'g' };
		const [socket] = service.sockets;
		socket!.emit('telemetry', [reading]);
		socket!.emit('notification', alert);
		socket!.emit('device', event);
		socket!.emit('superseded', { buildingId: 'b', reason: 'slow', cursor: 'c2' });
		await until('the last event', () => vi.mocked(handlers.superseded).mock.calls.length > 0);
		expect(handlers.telemetry).toHaveBeenCalledExactlyOnceWith([reading]);
		expect(handlers.notification).toHaveBeenCalledExactlyOnceWith(alert);
		expect(handlers.device).toHaveBeenCalledExactlyOnceWith(event);
		expect(handlers.superseded).toHaveBeenCalledWith({ buildingId: 'b', reason: 'slow', cursor: 'c2' });
	});

	it('reconnects after a pause and resumes from the cursor of that moment', async () => {
		const cursor = { value: 'c1' };
		const page = await openLivePage(cursor);
		vi.advanceTimersByTime(60_000);
		await breakConnection(page);
		expect(page.statuses.at(-1)).toEqual({ state: 'reconnecting', since: Date.now() });
		cursor.value = 'c9';
		vi.advanceTimersByTime(499);
		expect(service.attempts).toBe(1);
		vi.advanceTimersByTime(1);
		await isState(page, 'live');
		expect(service.subscriptions).toEqual([
			{ buildingId: 'b', cursor: 'c1' },
			{ buildingId: 'b', cursor: 'c9' },
		]);
		expect(page.connections).toBe(2);
	});

	it('tries again after each refused connection, in 250 ms, 500 ms, up to 7.5 s with the shortest draws', async () => {
		service.refuse = 'unauthenticated';
		const page = openPage();
		page.live.follow('b', () => 'c1');
		const delays = [250, 500, 1000, 2000, 4000, 7500, 7500];
		for (const [attempt, delay] of delays.entries()) {
			await until('the refusal', () => page.refused.length === attempt + 1);
			vi.advanceTimersByTime(delay - 1);
			expect(service.attempts).toBe(attempt + 1);
			vi.advanceTimersByTime(1);
			await until('the next attempt', () => service.attempts === attempt + 2);
		}
		await until('the refusal', () => page.refused.length === delays.length + 1);
		service.refuse = undefined;
		vi.advanceTimersByTime(7500);
		await isState(page, 'live');
		expect(new Set(page.refused)).toEqual(new Set(['unauthenticated']));
		expect(service.subscriptions).toEqual([{ buildingId: 'b', cursor: 'c1' }]);
	});

	it('spreads its attempts over the upper half of the pause', async () => {
		vi.mocked(Math.random).mockReturnValue(0.999);
		service.refuse = 'unauthenticated';
		const page = openPage();
		await until('the refusal', () => page.refused.length === 1);
		vi.advanceTimersByTime(499);
		expect(service.attempts).toBe(1);
		vi.advanceTimersByTime(1);
		await until('the next attempt', () => service.attempts === 2);
	});

	it('reconnects after the service has ended the connection', async () => {
		const page = await openLivePage();
		service.sockets[0]!.disconnect(true);
		await isState(page, 'reconnecting');
		vi.advanceTimersByTime(250);
		await isState(page, 'live');
		expect(service.subscriptions).toHaveLength(2);
	});

	it('reconnects although another building is chosen before the next attempt', async () => {
		const page = await openLivePage();
		service.sockets[0]!.disconnect(true);
		await isState(page, 'reconnecting');
		page.live.follow('other', () => undefined);
		vi.advanceTimersByTime(250);
		await isState(page, 'live');
		expect(service.subscriptions.at(-1)).toEqual({ buildingId: 'other' });
	});

	it('asks again when a subscription is not answered within ten seconds', async () => {
		service.answer = () => undefined;
		const page = openPage();
		page.live.follow('b', () => 'c1');
		await subscribed(1);
		vi.advanceTimersByTime(9999);
		expect(states(page)).toEqual([]);
		vi.advanceTimersByTime(1);
		await isState(page, 'reconnecting');
		service.answer = () => ACCEPTED;
		vi.advanceTimersByTime(250);
		await isState(page, 'live');
		expect(service.subscriptions).toHaveLength(2);
	});

	it('asks again, later each time, while a subscription is refused temporarily', async () => {
		service.answer = () => refusal('unavailable');
		const page = openPage();
		page.live.follow('b', () => 'c1');
		await isState(page, 'reconnecting');
		for (const [index, delay] of [250, 500, 1000].entries()) {
			await everythingReceived(page);
			vi.advanceTimersByTime(delay - 1);
			expect(service.subscriptions).toHaveLength(index + 1);
			vi.advanceTimersByTime(1);
			await subscribed(index + 2);
		}
		expect(page.refused).toEqual([]);
	});

	it.each(['forbidden', 'not_found', 'unauthenticated'] as const)(
		'reports a subscription that is refused with %s',
		async (code) => {
			service.answer = () => refusal(code);
			const page = openPage();
			page.live.follow('b', () => undefined);
			await until('the refusal', () => page.refused.length > 0);
			expect(page.refused).toEqual([code]);
			expect(states(page)).toEqual(['reconnecting']);
		},
	);

	it('leaves the building it followed before, and ignores a late answer about it', async () => {
		let answerLate = () => {};
		const late = new Promise<ReturnType<typeof refusal>>((resolve) => {
			answerLate = () => resolve(refusal('not_found'));
		});
		service.answer = (buildingId) => (buildingId === 'b' ? late : ACCEPTED);
		const page = openPage();
		page.live.follow('b', () => 'c1');
		await subscribed(1);
		page.live.follow('other', () => 'c5');
		await isState(page, 'live');
		answerLate();
		await everythingReceived(page);
		expect(page.refused).toEqual([]);
		expect(states(page)).toEqual(['live']);
		expect(service.unsubscriptions).toEqual(['b']);
	});

	it('subscribes again to the same building without leaving it, as after a new snapshot', async () => {
		const page = await openLivePage();
		page.live.follow('b', () => 'c2');
		await subscribed(2);
		expect(service.subscriptions.at(-1)).toEqual({ buildingId: 'b', cursor: 'c2' });
		expect(service.unsubscriptions).toEqual([]);
	});

	it('subscribes to nothing after a reconnect once the building was left', async () => {
		const page = await openLivePage();
		page.live.unfollow();
		await until('the unsubscription', () => service.unsubscriptions.length > 0);
		await breakConnection(page);
		vi.advanceTimersByTime(500);
		await isState(page, 'live');
		expect(service.subscriptions).toHaveLength(1);
	});

	it('asks again when the service ends the subscription, and not when it ends that of another building', async () => {
		await openLivePage();
		const error = { code: 'forbidden', message: '' } as const;
		service.sockets[0]!.emit('ended', { buildingId: 'other', error });
		service.sockets[0]!.emit('ended', { buildingId: 'b', error });
		await subscribed(2);
		expect(service.subscriptions).toHaveLength(2);
	});

	it('renews the session when it is about to expire', async () => {
		vi.stubGlobal('fetch', async (path: string) => Response.json({ token: `fresh, from ${path}`, expiresIn: 60 }));
		await openLivePage();
		const error = { code: 'unauthenticated', message: '' } as const;
		service.sockets[0]!.emit('expiring', { expiresAt: Date.now() + 60_000, error });
		await until('the renewal', () => service.renewals.length > 0);
		expect(service.renewals).toEqual(['fresh, from /auth/refresh']);
	});

	it('stays connected when the session cannot be renewed', async () => {
		vi.stubGlobal('fetch', () => Promise.reject(new TypeError('no network')));
		const page = await openLivePage();
		const error = { code: 'unauthenticated', message: '' } as const;
		service.sockets[0]!.emit('expiring', { expiresAt: Date.now() + 60_000, error });
		await everythingReceived(page);
		expect(service.renewals).toEqual([]);
		expect(states(page)).toEqual(['live']);
	});

	it('does not connect again after it was closed', async () => {
		const page = await openLivePage();
		page.live.close();
		await until('the end of the connection', () => service.sockets.length === 0);
		vi.advanceTimersByTime(600_000);
		expect(vi.getTimerCount()).toBe(0);
		expect(service.attempts).toBe(1);
		expect(states(page)).toEqual(['live']);
	});
});
