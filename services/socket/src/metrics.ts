import { Counter, collectedMetrics, Histogram, type Registry } from '@crowdvision/service-kit';

/** What `/metrics` says of the dashboards. */
export function socketMetrics(registry: Registry, now: { connected: () => number; conflated: () => number }) {
	const registers = [registry];
	const { gauge } = collectedMetrics(registry);
	gauge('socket_dashboards', 'Dashboards connected', now.connected);
	gauge('socket_conflated', 'Subscriptions of slow dashboards, which get latest values only for now', now.conflated);
	return {
		superseded: new Counter({
			name: 'socket_superseded_total',
			help: 'How often a dashboard got latest values instead of all readings, by reason: slow, or cursor_expired',
			labelNames: ['reason'],
			registers,
		}),
		rejected: new Counter({
			name: 'socket_rejected_total',
			help: 'Entries of the stream that are no readings',
			registers,
		}),
		repeated: new Counter({
			name: 'socket_repeated_total',
			help: 'Readings that Redis had lost and was given again',
			registers,
		}),
		delay: new Histogram({
			name: 'socket_delay_seconds',
			help: 'From the receipt of a reading at the gateway to its way to the browsers; the oldest of those sent together',
			buckets: [0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 300],
			registers,
		}),
	};
}
