/** One line of a trace: what a program did to its disk, or `mark`, what it had promised by then. Paths are relative. */
export type DiskEvent =
	| { do: 'start'; pid: number }
	| { do: 'create' | 'mkdir'; path: string; ino: number }
	| { do: 'write'; ino: number; path: string; at: number; data: string }
	| { do: 'truncate'; ino: number; path: string; size: number }
	| { do: 'rename' | 'link'; from: string; to: string }
	| { do: 'remove'; path: string }
	| { do: 'sync-begin'; ino: number; path: string; sync: string }
	| { do: 'sync-end'; sync: string }
	| { do: 'sync-failed'; ino: number; path: string }
	| { do: 'mark'; text: string };

/** A power cut keeps or loses each of these as a whole, and of a write each sector by itself. */
export const SECTOR = 512;

export type FileChange = { kind: 'write'; at: number; data: Buffer } | { kind: 'truncate'; size: number };

/** Entries that a change of a folder sets; null removes the entry. A rename is one change of two entries. */
export type EntryChange = ReadonlyMap<string, Inode | null>;

export interface FileInode {
	kind: 'file';
	/** What is on disk for certain. */
	content: Buffer;
	/** What was done since, in order: each may have reached the disk or not. */
	pending: FileChange[];
}

export interface FolderInode {
	kind: 'folder';
	entries: Map<string, Inode>;
	pending: EntryChange[];
}

export type Inode = FileInode | FolderInode;

/** The content of a folder: the bytes of a file, or null for a folder, by path. */
export type Tree = ReadonlyMap<string, Buffer | null>;

/**
 * A disk as a power cut sees it: what is certain, and what was done since the last sync. POSIX promises no more: a sync
 * of a file does not make its name durable, nor a rename the content of what it names; only a sync of the folder makes
 * its entries durable. Real file systems lose less, each something else.
 */
export class ModelDisk {
	readonly root: FolderInode = { kind: 'folder', entries: new Map(), pending: [] };
	/** By the number of the operating system, which gives it again once the file is gone. */
	readonly #byNumber = new Map<number, Inode>();
	/** Syncs under way: what they cover. */
	readonly #syncs = new Map<string, { inode: Inode; count: number }>();
	/** What a failed sync covered. The system may have dropped it, so no later sync makes it certain. */
	readonly #doubtful = new WeakSet<FileChange | EntryChange>();

	/** `before` was on disk for certain when the recording began. */
	constructor(before: Tree = new Map()) {
		for (const [path, content] of [...before].sort(([a], [b]) => (a < b ? -1 : 1))) {
			const [parent, name] = this.#place(path);
			parent.entries.set(
				name,
				content === null ? { kind: 'folder', entries: new Map(), pending: [] } : { kind: 'file', content, pending: [] },
			);
		}
	}

	/** @throws Error for an event about a file that the trace does not know */
	apply(event: DiskEvent): void {
		switch (event.do) {
			case 'create':
			case 'mkdir': {
				const inode: Inode =
					event.do === 'mkdir'
						? { kind: 'folder', entries: new Map(), pending: [] }
						: { kind: 'file', content: Buffer.alloc(0), pending: [] };
				this.#byNumber.set(event.ino, inode);
				this.#change(event.path, inode);
				break;
			}
			case 'write':
				this.#file(event).pending.push({ kind: 'write', at: event.at, data: Buffer.from(event.data, 'base64') });
				break;
			case 'truncate':
				this.#file(event).pending.push({ kind: 'truncate', size: event.size });
				break;
			case 'rename':
			case 'link':
				this.#renameOrLink(event);
				break;
			case 'remove':
				this.#change(event.path, null);
				break;
			case 'sync-begin': {
				const inode = this.#inode(event);
				this.#syncs.set(event.sync, { inode, count: inode.pending.length });
				break;
			}
			case 'sync-failed':
				for (const change of this.#inode(event).pending) this.#doubtful.add(change);
				break;
			case 'sync-end':
				this.#finishSync(event.sync);
		}
	}

	/** Every file and folder with changes that may be lost, in a fixed order. */
	unsynced(): Inode[] {
		const found = new Set<Inode>();
		const visit = (inode: Inode) => {
			if (found.has(inode)) return;
			found.add(inode);
			if (inode.kind === 'file') return;
			for (const entry of inode.entries.values()) visit(entry);
			for (const change of inode.pending) for (const entry of change.values()) if (entry) visit(entry);
		};
		visit(this.root);
		return [...found].filter(({ pending }) => pending.length > 0);
	}

	#finishSync(sync: string): void {
		const { inode, count } = this.#syncs.get(sync)!;
		this.#syncs.delete(sync);
		let settled = count;
		if (inode.kind === 'file') {
			const done = inode.pending.splice(0, count);
			inode.content = applyToFile(
				inode.content,
				done.map((change) => ({ change })),
			);
		} else settled = this.#settleEntries(inode, count);
		for (const other of this.#syncs.values())
			if (other.inode === inode) other.count = Math.max(0, other.count - settled);
	}

	/** Makes the first changes of a folder certain, except doubtful ones about names that no later one sets. */
	#settleEntries(folder: FolderInode, count: number): number {
		const done = folder.pending.splice(0, count);
		const kept = done.filter(
			(change, index) =>
				this.#doubtful.has(change) &&
				![...change.keys()].every((name) =>
					done.slice(index + 1).some((later) => !this.#doubtful.has(later) && later.has(name)),
				),
		);
		applyToFolder(
			folder.entries,
			done.filter((change) => !this.#doubtful.has(change)),
		);
		folder.pending.unshift(...kept);
		return done.length - kept.length;
	}

	#renameOrLink({ do: what, from, to }: { do: 'rename' | 'link'; from: string; to: string }): void {
		const [source, sourceName] = this.#place(from);
		const [target, targetName] = this.#place(to);
		const inode = now(source).get(sourceName);
		if (!inode) throw new Error(`the trace renames ${from}, which it does not know`);
		if (what === 'link') target.pending.push(new Map([[targetName, inode]]));
		else if (source === target)
			source.pending.push(
				new Map<string, Inode | null>([
					[targetName, inode],
					[sourceName, null],
				]),
			);
		else {
			// Between folders: each folder is synced by itself.
			target.pending.push(new Map([[targetName, inode]]));
			source.pending.push(new Map([[sourceName, null]]));
		}
	}

	#change(path: string, inode: Inode | null): void {
		const [parent, name] = this.#place(path);
		parent.pending.push(new Map([[name, inode]]));
	}

	/** The folder that holds a path, and the name in it. */
	#place(path: string): [FolderInode, string] {
		const names = path.split('/');
		const name = names.pop()!;
		let parent = this.root;
		for (const each of names) {
			const next = now(parent).get(each);
			if (next?.kind !== 'folder') throw new Error(`the trace does not know the folder of ${path}`);
			parent = next;
		}
		return [parent, name];
	}

	/** The inode of an event, by its number or, if it existed before the recording, by its path. */
	#inode({ ino, path }: { ino: number; path: string }): Inode {
		const known = this.#byNumber.get(ino);
		if (known) return known;
		const [parent, name] = this.#place(path);
		const found = path === '' ? this.root : now(parent).get(name);
		if (!found) throw new Error(`the trace does not know ${path}`);
		this.#byNumber.set(ino, found);
		return found;
	}

	#file(event: { ino: number; path: string }): FileInode {
		const inode = this.#inode(event);
		if (inode.kind !== 'file') throw new Error(`${event.path} is not a file`);
		return inode;
	}
}

/** The entries of a folder as the running program sees them. */
function now(folder: FolderInode): Map<string, Inode> {
	return applyToFolder(new Map(folder.entries), folder.pending);
}

export function applyToFolder(entries: Map<string, Inode>, changes: readonly EntryChange[]): Map<string, Inode> {
	for (const change of changes) {
		for (const [name, inode] of change) {
			if (inode) entries.set(name, inode);
			else entries.delete(name);
		}
	}
	return entries;
}

/** A change of a file, and of a write how much of it reached the disk. */
export interface Kept {
	change: FileChange;
	/** Which sectors of the file; default all. */
	sector?: (sector: number) => boolean;
	/** The length of the file includes the lost sectors, which read as zeros. */
	extended?: boolean;
}

export function applyToFile(content: Buffer, changes: readonly Kept[]): Buffer {
	let bytes = content;
	const resize = (size: number) => {
		const resized = Buffer.alloc(size);
		bytes.copy(resized, 0, 0, size);
		bytes = resized;
	};
	for (const { change, sector = () => true, extended = false } of changes) {
		if (change.kind === 'truncate') {
			resize(change.size);
			continue;
		}
		const { at, data } = change;
		const end = at + data.length;
		if (extended && end > bytes.length) resize(end);
		for (let from = at; from < end; ) {
			const number = Math.floor(from / SECTOR);
			const to = Math.min(end, (number + 1) * SECTOR);
			if (sector(number)) {
				if (to > bytes.length) resize(to);
				data.copy(bytes, from, from - at, to - at);
			}
			from = to;
		}
	}
	return bytes === content ? Buffer.from(content) : bytes;
}
