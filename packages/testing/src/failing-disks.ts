/** Real disks of a test's own, which run full or break. Only root may mount them. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findProgram } from './processes.ts';

const MIB = 1024 * 1024;
const run = (program: string, ...args: string[]) => execFileSync(program, args, { stdio: 'pipe' });

/** Whether this process may mount; with `image`, also a file as a disk. */
function mayMount(image: boolean): boolean {
	if (process.getuid?.() !== 0) return false;
	const at = join(tmpdir(), `crowdvision-mount-${process.pid}`);
	try {
		mkdirSync(at);
		run('mount', '-t', 'tmpfs', '-o', 'size=1m', 'none', at);
		if (image) {
			writeFileSync(join(at, 'disk'), '');
			run('losetup', '--version');
		}
		run('umount', at);
		return !image || findProgram('mkfs.ext4') !== undefined;
	} catch {
		return false;
	} finally {
		rmSync(at, { recursive: true, force: true });
	}
}

/** Whether a disk in memory can be mounted here, and one in a file that breaks. Says loudly if not. */
export function mountable(): { memory: boolean; file: boolean } {
	const memory = mayMount(false);
	const file = memory && mayMount(true);
	if (!file)
		process.stdout.write('*** REAL FULL AND READ-ONLY DISKS ARE NOT TESTED: this user may not mount; run as root\n');
	return { memory, file };
}

/** Mounts a disk of some MiB in memory. */
export const mountMemory = (at: string, mib: number) =>
	void run('mount', '-t', 'tmpfs', '-o', `size=${mib}m`, 'none', at);

/** Fills a disk; returns the file to remove again. */
export function fillUp(at: string): string {
	run('sh', '-c', `cat /dev/zero > ${at}/filler 2>/dev/null || true`);
	return join(at, 'filler');
}

/** Makes an ext4 of 32 MiB in the file `image` and mounts it. */
export function mountFile(at: string, image: string): void {
	writeFileSync(image, '');
	truncateSync(image, 32 * MIB);
	run('mkfs.ext4', '-q', image);
	run('mount', '-o', 'loop,errors=remount-ro', image, at);
}

/** The disk turns read-only, as ext4 does when it reports an error. */
export const breakDown = (at: string) => void run('mount', '-o', 'remount,abort', at);

/** Checks the file system and mounts it again. Nothing may use it. */
export function mend(at: string, image: string): void {
	run('umount', at);
	run('sh', '-c', `fsck.ext4 -y ${image} >/dev/null; test $? -le 2`);
	run('mount', '-o', 'loop', image, at);
}

/** Unmounts a disk, also one that is not mounted or still in use. */
export const unmount = (at: string) => void run('sh', '-c', `umount -l ${at} 2>/dev/null || true`);
