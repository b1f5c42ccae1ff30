import { describe, expect, it } from 'vitest';
import type { DiskEvent } from './disk-model.ts';
import { diskStates } from './disk-states.ts';

/** The names that the disk may hold after these events. */
function namesAfter(before: readonly DiskEvent[]): Set<string> {
	const names = new Set<string>();
	// No state is made twice; a promise makes those at the end others than those before.
	const events: DiskEvent[] = [...before, { do: 'mark', text: 'the end' }];
	for (const { cut, tree } of diskStates({ events, limit: 1000, random: Math.random }))
		if (cut === events.length) names.add([...tree.keys()].sort().join(' '));
	return names;
}
const create = (path: string, ino: number): DiskEvent => ({ do: 'create', path, ino });
const synced = (sync: string): DiskEvent[] => [
	{ do: 'sync-begin', ino: 1, path: '', sync },
	{ do: 'sync-end', sync },
];
const failed: DiskEvent = { do: 'sync-failed', ino: 1, path: '' };

describe('P15 the model of a disk, on which the sync of a folder fails,', () => {
	it('loses or keeps the names that the sync was for, also after a later sync', () => {
		expect(namesAfter([create('a', 2), ...synced('1')])).toEqual(new Set(['a']));
		expect(namesAfter([create('a', 2), failed, create('b', 3), ...synced('1')])).toEqual(new Set(['b', 'a b']));
	});

	it('is certain of a name again that is set and synced anew', () => {
		const events = [create('a', 2), failed, { do: 'remove', path: 'a' } as const, create('a', 3), ...synced('1')];
		expect(namesAfter(events)).toEqual(new Set(['a']));
		expect(namesAfter([...events.slice(0, 3), ...synced('1')])).toEqual(new Set(['']));
	});
});
