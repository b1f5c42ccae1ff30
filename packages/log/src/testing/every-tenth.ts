import { thinSegments } from '../retention/thin-segments.ts';

/** Keeps every tenth record, which then says how many it stands for, and the last. */
thinSegments((payloads) =>
	payloads.map((payload, index) => {
		if (index === payloads.length - 1) return 'keep';
		return index % 10 === 9 ? { payload: `${payload.toString().trimEnd()} for 10` } : 'drop';
	}),
);
