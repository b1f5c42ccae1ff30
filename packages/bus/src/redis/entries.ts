import { GAP_FIELD } from '@crowdvision/contracts';
import type { BusEntry, DeadLetter } from '../bus.ts';

/** An entry in a reply of Redis: its id, then field names and values in turn; null where it was deleted. */
export type RawEntry = [id: string, fields: string[] | null];

/** The entries that still exist, with the value of `field`, or with the first value where that field is missing. */
export function entriesOf(raw: readonly (RawEntry | null)[], field: string): BusEntry[] {
	const entries: BusEntry[] = [];
	for (const entry of raw) {
		if (!entry?.[1]) continue;
		const [position, fields] = entry;
		const gap = fieldOf(fields, GAP_FIELD);
		entries.push({ position, data: fieldOf(fields, field) ?? fields[1] ?? '', ...(gap !== undefined && { gap }) });
	}
	return entries;
}

function fieldOf(fields: readonly string[], name: string): string | undefined {
	for (let i = 0; i < fields.length; i += 2) if (fields[i] === name) return fields[i + 1];
	return undefined;
}

/** Key of the stream that holds the dead letters. */
export const deadKey = (key: string) => `${key}.dead`;

/** Parses what a consumer writes when it sets an entry aside. */
export function deadLetterOf([, fields]: RawEntry): DeadLetter {
	const text = (name: keyof DeadLetter) => fieldOf(fields ?? [], name) ?? '';
	return {
		position: text('position'),
		data: text('data'),
		group: text('group'),
		reason: text('reason'),
		attempts: Number(text('attempts')),
		at: Number(text('at')),
	};
}
