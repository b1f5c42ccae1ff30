import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
	applyToFile,
	applyToFolder,
	type DiskEvent,
	type FileChange,
	type Inode,
	type Kept,
	ModelDisk,
	SECTOR,
	type Tree,
} from './disk-model.ts';

/** What a disk may hold after a power cut, and what had been promised before it. */
export interface DiskState {
	/** Number of events before the power cut. */
	cut: number;
	/** Which of the unsynced changes reached the disk, in words. */
	what: string;
	tree: Tree;
	/** The marks before the power cut. */
	marks: readonly string[];
}

/** Decides what became of the unsynced changes. */
interface Plan {
	what: string;
	/** What became of a file's change; undefined: it is lost as a whole. */
	file(change: FileChange): Omit<Kept, 'change'> | undefined;
	/** Whether a change of a folder reached the disk. */
	folder(change: unknown): boolean;
}

const KEPT = {};
const EXTENDED = { sector: () => false, extended: true };
/** Sectors of one write that are tried one by one; of a longer write so many are chosen. */
const SECTORS_TRIED = 6;
const RANDOM_PLANS = 6;

export interface StatesOptions {
	events: readonly DiskEvent[];
	/** What the folder held when the recording began. */
	before?: Tree;
	/** About this many states are made, spread over all moments. */
	limit: number;
	/** Numbers from 0 to 1. */
	random: () => number;
}

/**
 * The states that a power cut may leave, at every moment of a trace: of the changes that were not synced any subset
 * reached the disk, writes torn at any sector, lengths with or without the data. Which of them, as far as the limit
 * goes, is decided by `random`. No state twice.
 */
export function* diskStates({ events, before, limit, random }: StatesOptions): Generator<DiskState> {
	// What is left between two ends of a sync is part of what is left right before the second.
	const isMoment = (index: number) => index === events.length - 1 || events[index + 1]!.do === 'sync-end';
	const moments = events.filter((_event, index) => isMoment(index)).length;
	const perMoment = Math.ceil(limit / moments);
	const share = limit / moments;
	const disk = new ModelDisk(before);
	const seen = new Set<string>();
	const marks: string[] = [];
	for (const [index, event] of events.entries()) {
		if (event.do === 'mark') marks.push(event.text);
		else disk.apply(event);
		if (!isMoment(index) || (share < 1 && random() >= share)) continue;
		let made = 0;
		for (const plan of shuffled(plansFor(disk.unsynced(), random), random)) {
			if (made >= perMoment) break;
			const tree = treeOf(disk.root, plan);
			const key = `${marks.length} ${digest(tree)}`;
			if (seen.has(key)) continue;
			seen.add(key);
			made++;
			yield { cut: index + 1, what: plan.what, tree, marks: [...marks] };
		}
	}
}

/** The state in which everything reached the disk, as after a kill -9. */
export function everythingOf(events: readonly DiskEvent[], before?: Tree): Tree {
	const disk = new ModelDisk(before);
	for (const event of events) disk.apply(event);
	return treeOf(disk.root, { what: 'everything', file: () => KEPT, folder: () => true });
}

function plansFor(unsynced: readonly Inode[], random: () => number): Plan[] {
	const yes = () => true;
	const no = () => false;
	const plans: Plan[] = [
		{ what: 'nothing since the last sync', file: () => undefined, folder: no },
		{ what: 'everything', file: () => KEPT, folder: yes },
		{ what: 'data without names', file: () => KEPT, folder: no },
		{ what: 'names without data', file: () => undefined, folder: yes },
		{ what: 'names and lengths without data', file: () => EXTENDED, folder: yes },
	];
	for (const inode of unsynced) {
		for (const change of inode.pending) {
			if (inode.kind === 'folder') {
				const names = [...(change as ReadonlyMap<string, unknown>).keys()].join(', ');
				plans.push(
					{ what: `all but the entry of ${names}`, file: () => KEPT, folder: (other) => other !== change },
					{ what: `of names only ${names}`, file: () => KEPT, folder: (other) => other === change },
				);
			} else plans.push(...plansForChange(change as FileChange, random));
		}
	}
	for (let n = 0; n < RANDOM_PLANS; n++) plans.push(randomPlan(random));
	return plans;
}

/** One change of a file is torn or lost, or the only one that is not lost. */
function plansForChange(change: FileChange, random: () => number): Plan[] {
	const yes = () => true;
	const plans: Plan[] = [
		{ what: `all but one ${change.kind}`, file: (other) => (other === change ? undefined : KEPT), folder: yes },
		{ what: `only one ${change.kind}`, file: (other) => (other === change ? KEPT : undefined), folder: yes },
	];
	if (change.kind === 'truncate') return plans;
	const first = Math.floor(change.at / SECTOR);
	const count = Math.floor((change.at + change.data.length - 1) / SECTOR) - first + 1;
	const tried =
		count <= SECTORS_TRIED
			? Array.from({ length: count }, (_, index) => index)
			: Array.from({ length: SECTORS_TRIED }, () => Math.floor(random() * count));
	const torn = (what: string, sector: (sector: number) => boolean, extended = false): Plan => ({
		what,
		file: (other) => (other === change ? { sector, extended } : KEPT),
		folder: yes,
	});
	for (const each of tried) {
		const at = first + each;
		plans.push(
			torn(`a write cut before sector ${each}`, (sector) => sector < at),
			torn(`a write with zeros from sector ${each} on`, (sector) => sector < at, true),
			torn(`a write without sector ${each}`, (sector) => sector !== at, true),
			torn(`of a write only sector ${each}`, (sector) => sector === at, true),
		);
	}
	return plans;
}

function randomPlan(random: () => number): Plan {
	const files = new Map<unknown, Omit<Kept, 'change'> | undefined>();
	const entries = new Map<unknown, boolean>();
	const remembered = <T>(map: Map<unknown, T>, key: unknown, choose: () => T): T => {
		if (!map.has(key)) map.set(key, choose());
		return map.get(key)!;
	};
	return {
		what: 'any part of it',
		file: (change) =>
			remembered(files, change, () => {
				const chance = random();
				if (chance < 0.3) return undefined;
				if (chance < 0.6) return KEPT;
				const lost = new Map<number, boolean>();
				return {
					sector: (sector: number) => remembered(lost, sector, () => random() < 0.5),
					extended: random() < 0.5,
				};
			}),
		folder: (change) => remembered(entries, change, () => random() < 0.5),
	};
}

function treeOf(root: Inode, plan: Plan): Tree {
	const tree = new Map<string, Buffer | null>();
	const visit = (inode: Inode, path: string) => {
		if (inode.kind === 'file') {
			const kept = inode.pending.flatMap((change) => {
				const how = plan.file(change);
				return how ? [{ change, ...how }] : [];
			});
			tree.set(path, applyToFile(inode.content, kept));
			return;
		}
		if (path !== '') tree.set(path, null);
		const changes = inode.pending.filter((change) => plan.folder(change));
		for (const [name, entry] of applyToFolder(new Map(inode.entries), changes))
			visit(entry, path === '' ? name : `${path}/${name}`);
	};
	visit(root, '');
	return tree;
}

function digest(tree: Tree): string {
	const hash = createHash('sha1');
	for (const [path, content] of [...tree].sort(([a], [b]) => (a < b ? -1 : 1))) {
		hash.update(`${path}\0${content?.length ?? 'folder'}\0`);
		if (content) hash.update(content);
	}
	return hash.digest('base64');
}

function shuffled(list: readonly Plan[], random: () => number): Plan[] {
	return list
		.map((each) => ({ each, order: random() }))
		.sort((a, b) => a.order - b.order)
		.map(({ each }) => each);
}

/** Writes a tree into a folder. */
export function writeTree(tree: Tree, folder: string): void {
	mkdirSync(folder, { recursive: true });
	for (const [path, content] of [...tree].sort(([a], [b]) => (a < b ? -1 : 1))) {
		if (content === null) mkdirSync(join(folder, path), { recursive: true, mode: 0o700 });
		else writeFileSync(join(folder, path), content, { mode: 0o600 });
	}
}

/** Reads what a folder holds; anything that is neither file nor folder is left out. */
export function readTree(folder: string, path = ''): Map<string, Buffer | null> {
	const tree = new Map<string, Buffer | null>();
	for (const entry of readdirSync(join(folder, path), { withFileTypes: true })) {
		const inside = path === '' ? entry.name : `${path}/${entry.name}`;
		if (entry.isFile()) tree.set(inside, readFileSync(join(folder, inside)));
		if (!entry.isDirectory()) continue;
		tree.set(inside, null);
		for (const [below, content] of readTree(folder, inside)) tree.set(below, content);
	}
	return tree;
}
