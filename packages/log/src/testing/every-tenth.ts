import { thinSegments } from '../retention/thin-segments.ts';

/** Keeps every tenth record, with the number of records it represents, and the last one. */
thinSegments((payloads) =>
	payloads.map((payload, index) => {
		if (index === payloads.length - 1) return 'keep';
		return index % 10 === 9 ? { payload: `${payload.toString().trimEnd()} for 10` } : 'drop';
	}),
);
