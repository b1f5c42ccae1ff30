import {
	appendFileSync,
	mkdirSync,
	readdirSync,
	readFileSync,
	renameSync,
	rmSync,
	statSync,
	writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { SEGMENT_NAME, walkRecords } from '../segment/segment.ts';

/** The place of a record in its file, in bytes. */
export interface RecordPlace {
	file: string;
	from: number;
	to: number;
}

/** The places of the records of an undamaged log, by offset. */
export function placesOf(dir: string): Map<number, RecordPlace> {
	const places = new Map<number, RecordPlace>();
	for (const file of readdirSync(dir).filter((name) => SEGMENT_NAME.test(name))) {
		const bytes = readFileSync(join(dir, file));
		const note = (from: number, offset: number) =>
			places.set(offset, { file, from, to: from + bytes.readUInt32LE(from + 8) });
		walkRecords(bytes, 64, -1, note, () => undefined);
	}
	return places;
}

export interface Damage {
	kind: (typeof KINDS)[number];
	file: string;
	/** The changed or removed bytes. */
	from: number;
	to: number;
}

const KINDS = [
	'flip',
	'flip',
	'flip',
	'zero',
	'cut',
	'remove',
	'garbage',
	'insert',
	'delete',
	'blank',
	'swap',
	'folder',
] as const;

/** Damages one file of a log, in a way chosen by `random`. Returns what was done. */
export function damage(dir: string, random: () => number): Damage {
	const pick = <T>(choices: readonly T[]): T => choices[Math.floor(random() * choices.length)]!;
	const files = readdirSync(dir, { withFileTypes: true })
		.filter((entry) => entry.isFile())
		.map(({ name }) => name)
		.sort();
	const segments = files.filter((name) => SEGMENT_NAME.test(name));
	const file = pick(
		[files, segments, segments.slice(-1), files.filter((name) => !SEGMENT_NAME.test(name))].map((some) => pick(some)),
	);
	const path = join(dir, file);
	const { size } = statSync(path);
	// A third of the places is near the end, where the latest acknowledged records are.
	const place = () => Math.max(0, Math.floor(random() < 0.33 ? size - random() * 600 : random() * size));
	const kind = pick(KINDS);
	const from = place();
	const to = Math.min(size, from + 1 + Math.floor(random() ** 2 * 3000));
	const noise = () =>
		Buffer.from(Array.from({ length: 1 + Math.floor(random() * 500) }, () => Math.floor(random() * 256)));
	const rewrite = (...parts: Buffer[]) => writeFileSync(path, Buffer.concat(parts));
	const bytes = readFileSync(path);
	switch (kind) {
		case 'flip':
			rewrite(
				bytes.subarray(0, from),
				Buffer.of((bytes[from] ?? 0) ^ (1 + Math.floor(random() * 255))),
				bytes.subarray(from + 1),
			);
			return { kind, file, from, to: from + 1 };
		case 'zero':
			rewrite(bytes.subarray(0, from), Buffer.alloc(to - from), bytes.subarray(to));
			return { kind, file, from, to };
		case 'cut':
			rewrite(bytes.subarray(0, from));
			return { kind, file, from, to: size };
		case 'remove':
			rewrite(bytes.subarray(0, from), bytes.subarray(to));
			return { kind, file, from, to };
		case 'insert':
			rewrite(bytes.subarray(0, from), noise(), bytes.subarray(from));
			return { kind, file, from, to: from + 1 };
		case 'garbage':
			appendFileSync(path, random() < 0.5 ? noise() : bytes.subarray(from, to));
			return { kind, file, from: size, to: size };
		case 'delete':
			rmSync(path);
			return { kind, file, from: 0, to: size };
		case 'blank':
			rewrite(Buffer.alloc(size));
			return { kind, file, from: 0, to: size };
		case 'folder':
			rmSync(path);
			mkdirSync(path);
			return { kind, file, from: 0, to: size };
		case 'swap':
			renameSync(join(dir, 'meta.a'), join(dir, 'meta.c'));
			renameSync(join(dir, 'meta.b'), join(dir, 'meta.a'));
			renameSync(join(dir, 'meta.c'), join(dir, 'meta.b'));
			return { kind, file: 'meta.a', from: 0, to: 0 };
	}
}
