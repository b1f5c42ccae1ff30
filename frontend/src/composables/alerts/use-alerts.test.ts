import type { Alert } from '@crowdvision/contracts';
import { beforeEach, describe, expect, it } from 'vitest';
import { fakeServices, type Services, settle } from '../../testing/services.ts';
import { useAlerts } from './use-alerts.ts';

const LIST = 'GET /notification/alerts';

const alert = (id: string, over: Partial<Alert> = {}): Alert => ({
	id,
	domainNames: ['demo'],
	buildingId: 'b',
	roomId: 'hall',
	kind: 'occupancy',
	severity: 'critical',
	state: 'open',
	observedAt: 1000,
	message: 'm',
	...over,
});

let services: Services;
let announced: string[];
let alerts: ReturnType<typeof useAlerts>;

beforeEach(() => {
	services = fakeServices();
	announced = [];
	alerts = useAlerts(({ id }) => announced.push(id));
});

const shown = () => alerts.alerts.value.map(({ id, state }) => `${id} ${state}`);

async function load(...list: Alert[]): Promise<void> {
	const loading = alerts.load();
	await services.next(LIST).answer({ alerts: list });
	await loading;
}

describe('P14 a bounded list', () => {
	it('is loaded until nothing that is open is missing, and the rest on demand', async () => {
		const loading = alerts.load();
		await services.next(LIST).answer({ alerts: [alert('a'), alert('b')], nextCursor: 'x' });
		await settle();
		const next = [alert('c'), alert('old', { state: 'resolved' })];
		await services.next(`${LIST}?cursor=x`).answer({ alerts: next, nextCursor: 'y' });
		await loading;
		expect(shown().toSorted()).toEqual(['a open', 'b open', 'c open', 'old resolved']);
		expect(alerts.hasMore.value).toBe(true);
		const more = alerts.loadMore();
		await services.next(`${LIST}?cursor=y`).answer({ alerts: [alert('older', { state: 'resolved' })] });
		await more;
		expect(shown()).toContain('older resolved');
		expect(alerts.hasMore.value).toBe(false);
	});
});

describe('the alerts of the page', () => {
	it('announce what is reported while the page is open, and not what it found on opening', async () => {
		await load(alert('old'));
		expect(announced).toEqual([]);
		alerts.onNotification(alert('new', { observedAt: 2000 }));
		expect(announced).toEqual(['new']);
		expect(shown()).toEqual(['new open', 'old open']);
	});

	it('merge notifications with the list that is loaded at the same time, and announce each once', async () => {
		const loading = alerts.load();
		alerts.onNotification(alert('a'));
		alerts.onNotification(alert('a', { state: 'acknowledged' }));
		await services.next(LIST).answer({ alerts: [alert('a'), alert('b')] });
		await loading;
		expect(shown()).toEqual(['b open', 'a acknowledged']);
		expect(announced).toEqual(['a']);
	});

	it('announce after a reconnect what has begun meanwhile, and nothing that is over already', async () => {
		await load(alert('a'));
		await load(alert('a', { state: 'resolved' }), alert('b'), alert('c', { state: 'resolved' }));
		expect(announced).toEqual(['b']);
		expect(shown()).toEqual(['b open', 'a resolved', 'c resolved']);
	});

	it('stay on display, with the reason, while the list cannot be loaded', async () => {
		await load(alert('a'));
		const loading = alerts.load();
		await services.next(LIST).fail();
		await loading;
		expect(alerts.error.value).toMatchObject({ code: 'network' });
		expect(shown()).toEqual(['a open']);
		await load(alert('a'));
		expect(alerts.error.value).toBeUndefined();
	});

	it('change when they are acknowledged, and are marked until the service has answered', async () => {
		await load(alert('a'));
		const done = alerts.acknowledge('a');
		expect(alerts.acknowledging.value).toEqual(new Set(['a']));
		await services.next('POST /notification/alerts/a/ack').answer(alert('a', { state: 'acknowledged' }));
		await done;
		expect(alerts.acknowledging.value).toEqual(new Set());
		expect(shown()).toEqual(['a acknowledged']);
		expect(announced).toEqual([]);
	});

	it('keep the reason of each refused acknowledgement until the next one succeeds', async () => {
		await load(alert('a'), alert('b'));
		const both = [alerts.acknowledge('a'), alerts.acknowledge('b')];
		const [first, second] = [services.pending.shift()!, services.pending.shift()!];
		await second.refuse(403, 'forbidden');
		await first.refuse(503, 'unavailable');
		await Promise.all(both);
		expect([...alerts.refusals.value.keys()].sort()).toEqual(['a', 'b']);
		const again = alerts.acknowledge('a');
		await services.pending.shift()!.answer(alert('a', { state: 'acknowledged' }));
		await again;
		await settle();
		expect([...alerts.refusals.value.keys()]).toEqual(['b']);
	});
});
