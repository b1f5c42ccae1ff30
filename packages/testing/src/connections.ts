import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** Linux's numbers (include/net/tcp_states.h). */
const LISTEN = '0A';
const EVERY_MS = 250;
const LOOPBACK = new Set(['0100007F', '00000000000000000000000001000000', '0000000000000000FFFF00000100007F']);

interface TcpSocket {
	inode: string;
	localPort: number;
	remotePort: number;
	remoteAddress: string;
	state: string;
}

/**
 * Whom a process has called, at this moment: the port for one on this machine, else the kernel's spelling of address
 * and port. Connections that others opened to it do not count. Empty for a process that is gone.
 */
export const calledBy = (pid: number): (number | string)[] => calledIn(openSockets(), pid);

function calledIn(sockets: ReadonlyMap<string, TcpSocket>, pid: number): (number | string)[] {
	const own = inodesOf(pid).flatMap((inode) => sockets.get(inode) ?? []);
	const listening = new Set(own.filter(({ state }) => state === LISTEN).map(({ localPort }) => localPort));
	return own
		.filter(({ state, localPort }) => state !== LISTEN && !listening.has(localPort))
		.map(({ remoteAddress, remotePort }) =>
			LOOPBACK.has(remoteAddress) ? remotePort : `${remoteAddress}:${remotePort}`,
		);
}

/** Every TCP socket of this machine that a process holds, by inode. */
function openSockets(): Map<string, TcpSocket> {
	const sockets = ['tcp', 'tcp6'].flatMap((table) => readTable(`/proc/self/net/${table}`));
	return new Map(sockets.map((socket) => [socket.inode, socket]));
}

function inodesOf(pid: number): string[] {
	try {
		return readdirSync(`/proc/${pid}/fd`).flatMap(
			(fd) => /^socket:\[(\d+)\]$/.exec(linkOf(`/proc/${pid}/fd/${fd}`))?.[1] ?? [],
		);
	} catch {
		return [];
	}
}

function linkOf(path: string): string {
	try {
		return readlinkSync(path);
	} catch {
		return '';
	}
}

/** proc_pid_net(5): after a line of headings, one socket a line, numbers in hexadecimal. */
function readTable(path: string): TcpSocket[] {
	return readFileSync(path, 'utf8')
		.split('\n')
		.slice(1)
		.filter((line) => line.trim() !== '')
		.map((line) => {
			const [, local = '', remote = '', state = '', , , , , , inode = ''] = line.trim().split(/\s+/);
			const [remoteAddress = '', remotePort = ''] = remote.split(':');
			const port = (hex = '') => Number.parseInt(hex, 16);
			return { inode, state, localPort: port(local.split(':')[1]), remotePort: port(remotePort), remoteAddress };
		});
}

/** Looks again and again at whom processes have called, until stopped. */
export interface ConnectionWatch {
	/** Everybody that each was seen to have called, by name. */
	readonly seen: ReadonlyMap<string, ReadonlySet<number | string>>;
	stop(): void;
}

/**
 * `programs` is read anew each time, as a program's pid changes with its lives. Often enough not to miss a connection
 * that is kept for a second.
 */
export function watchConnections(
	programs: readonly { readonly name: string; readonly pid: number }[],
): ConnectionWatch {
	const seen = new Map(programs.map(({ name }) => [name, new Set<number | string>()]));
	const timer = setInterval(() => {
		const sockets = openSockets();
		for (const { name, pid } of programs) for (const called of calledIn(sockets, pid)) seen.get(name)!.add(called);
	}, EVERY_MS);
	return { seen, stop: () => clearInterval(timer) };
}
