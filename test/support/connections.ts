import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** Linux's numbers (include/net/tcp_states.h). */
const LISTEN = '0A';
const LOOPBACK = new Set(['0100007F', '00000000000000000000000001000000', '0000000000000000FFFF00000100007F']);

interface TcpSocket {
	inode: string;
	localPort: number;
	remotePort: number;
	remoteAddress: string;
	state: string;
}

/**
 * Whom a process has called, at this moment: the port for one on this machine, else the kernel's spelling of address and port. Connections that
 * others opened to it do not count. Empty for a process that is gone.
 */
export function calledBy(pid: number): (number | string)[] {
	const own = socketsOf(pid).filter(({ state }) => state !== '');
	const listening = new Set(own.filter(({ state }) => state === LISTEN).map(({ localPort }) => localPort));
	return own
		.filter(({ state, localPort }) => state !== LISTEN && !listening.has(localPort))
		.map(({ remoteAddress, remotePort }) => (LOOPBACK.has(remoteAddress) ? remotePort : `${remoteAddress}:${remotePort}`));
}

function socketsOf(pid: number): TcpSocket[] {
	try {
		const held = new Set<string>();
		for (const fd of readdirSync(`/proc/${pid}/fd`)) {
			const [, inode] = /^socket:\[(\d+)\]$/.exec(linkOf(`/proc/${pid}/fd/${fd}`)) ?? [];
			if (inode !== undefined) held.add(inode);
		}
		return ['tcp', 'tcp6'].flatMap((table) => readTable(`/proc/${pid}/net/${table}`)).filter(({ inode }) => held.has(inode));
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

/** `programs` is read anew each time, as a program's pid changes with its lives. Every 50 ms: a connection that is kept for a second is not missed. */
export function watchConnections(programs: readonly { readonly name: string; readonly pid: number }[]): ConnectionWatch {
	const seen = new Map(programs.map(({ name }) => [name, new Set<number | string>()]));
	const timer = setInterval(() => {
		for (const { name, pid } of programs) for (const called of calledBy(pid)) seen.get(name)!.add(called);
	}, 50);
	return { seen, stop: () => clearInterval(timer) };
}
