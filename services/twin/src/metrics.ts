import { Counter, type Registry } from '@crowdvision/service-kit';

/** The metrics of twin, without the leader's gauge, which `LEADER_GAUGE` describes. */
export function twinMetrics(registry: Registry) {
	return {
		stored: new Counter({
			name: 'twin_readings_taken_total',
			help: 'Readings stored from the stream, redelivered ones included',
			registers: [registry],
		}),
	};
}

/** The gauge of the leader, for `onLeading`. */
export const LEADER_GAUGE = { name: 'twin_on_duty', help: '1 in the replica that stores readings, 0 in the others' };
