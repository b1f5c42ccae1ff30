import { posix } from 'node:path';
import { importsOf } from './imports.ts';

/**
 * Which room of `edge-gateway/src` may import which, in the order data flows: a room only imports rooms above it. A
 * room is a folder, or a file of the root folder by its name. Every arrow that exists stands here, and no other may
 * appear.
 */
export const GATEWAY_WALLS: Readonly<Record<string, string>> = {
	'measures.ts': '',
	'options.ts': '',
	'payload.ts': 'secrets.ts',
	'secrets.ts': '',
	'registry.ts': '',
	topics: '',
	limits: '',
	ledger: '',
	normalize: 'registry.ts',
	access: 'registry.ts limits normalize',
	devices: 'measures.ts payload.ts registry.ts decode/message decode/vendor normalize',
	downlink: 'options.ts limits normalize topics',
	clock: 'measures.ts options.ts normalize',
	catalog: '',
	'decode/message': '',
	'decode/vendor': 'decode/message',
	'decode/lorawan': 'decode/message decode/vendor',
	'decode/people-counters': 'decode/message decode/vendor',
	'decode/formats': 'decode/lorawan decode/message decode/people-counters decode/vendor',
	'decode/jsonata': 'decode/formats decode/message',
	'decode/codec': 'decode/formats decode/lorawan decode/message decode/vendor',
	decode: 'measures.ts decode/codec decode/formats decode/jsonata decode/message decode/vendor topics',
	'frame.ts': 'decode decode/message normalize',
	occupancy: 'measures.ts options.ts clock ledger normalize',
	trace: 'measures.ts options.ts payload.ts secrets.ts decode/message normalize topics',
	rejected: 'frame.ts payload.ts secrets.ts decode/message devices normalize topics',
	intake:
		'frame.ts registry.ts secrets.ts clock decode decode/formats decode/message devices ledger normalize occupancy ' +
		'rejected trace',
	'intake/shapes': 'frame.ts clock devices intake ledger normalize trace',
	'sources/mqtt/packets': '',
	'sources/mqtt/lane': 'sources/mqtt/packets',
	'sources/mqtt/connection': 'frame.ts limits normalize sources/mqtt/lane sources/mqtt/packets',
	'sources/mqtt/sessions': 'sources/mqtt/packets topics',
	sources: 'frame.ts registry.ts access decode/message devices downlink limits normalize',
	'sources/http': 'frame.ts access decode decode/message devices intake limits normalize sources',
	'sources/mqtt/broker':
		'frame.ts measures.ts options.ts registry.ts access decode decode/message decode/vendor devices downlink intake ' +
		'intake/shapes limits normalize sources sources/mqtt/connection sources/mqtt/lane sources/mqtt/sessions topics',
	'sources/framing': 'decode/formats decode/message',
	'sources/serial': 'frame.ts measures.ts options.ts access devices downlink intake normalize sources sources/framing',
	'sources/replay': 'frame.ts decode rejected sources sources/mqtt/broker',
	log: 'normalize',
	'bridge/config': 'measures.ts options.ts topics',
	'bridge/loops': 'bridge/config',
	'bridge/remote': 'options.ts bridge/config',
	'bridge/link':
		'frame.ts bridge/config bridge/loops bridge/remote decode decode/message ledger sources/mqtt/broker topics',
	bridge: 'frame.ts bridge/config bridge/link bridge/loops ledger sources/mqtt/broker',
	'home-assistant': 'measures.ts options.ts registry.ts devices normalize sources/mqtt/broker topics',
	configuration:
		'frame.ts measures.ts options.ts payload.ts registry.ts bridge/config catalog clock decode decode/formats ' +
		'decode/message devices downlink home-assistant intake ledger occupancy sources/mqtt/broker ' +
		'sources/mqtt/connection sources/mqtt/sessions sources/replay sources/serial trace',
	why: 'payload.ts registry.ts bridge bridge/link devices log rejected topics trace',
	control: 'registry.ts configuration decode/codec rejected topics why',
	api: 'registry.ts bridge devices downlink ledger occupancy rejected sources/replay trace why',
	'metrics.ts': 'bridge catalog clock downlink ledger log occupancy',
	gateway:
		'frame.ts metrics.ts registry.ts access api bridge catalog clock configuration control decode devices downlink ' +
		'home-assistant intake intake/shapes ledger limits log normalize occupancy rejected sources sources/http ' +
		'sources/mqtt/broker ' +
		'sources/mqtt/connection sources/mqtt/sessions sources/replay sources/serial topics trace why',
	'gateway.ts': 'configuration gateway',
	'index.ts': 'configuration gateway gateway.ts',
	'main.ts': 'configuration control gateway gateway.ts',
};

/** Files that only tests load: they look into every room. */
const FOR_TESTS = /\.(test|conformance|fixture)\.ts$|\/testing\//;

/** The rooms under `root` that import another one: by room, each imported room with the places, as `file -> file`. */
function roomsOf(files: ReadonlyMap<string, string>, root: string): Map<string, Map<string, string[]>> {
	const rooms = new Map<string, Map<string, string[]>>();
	const room = (path: string) => {
		const folder = posix.relative(root, posix.dirname(path));
		return folder === '' ? posix.basename(path) : folder;
	};
	for (const [path, text] of files) {
		if (!path.startsWith(`${root}/`) || FOR_TESTS.test(path)) continue;
		const arrows = rooms.get(room(path)) ?? new Map<string, string[]>();
		rooms.set(room(path), arrows);
		for (const { specifier } of importsOf(path, text)) {
			if (!specifier?.startsWith('.')) continue;
			const target = posix.join(posix.dirname(path), specifier.replace(/[?#].*$/, ''));
			if (!files.has(target) || !target.startsWith(`${root}/`) || room(target) === room(path)) continue;
			arrows.set(room(target), [...(arrows.get(room(target)) ?? []), `${path} -> ${target}`]);
		}
	}
	return rooms;
}

/** Every arrow that `walls` does not allow, every allowed one that does not exist, and every room without an entry. */
export function wallViolations(
	files: ReadonlyMap<string, string>,
	root: string,
	walls: Readonly<Record<string, string>>,
): string[] {
	const violations: string[] = [];
	const rooms = roomsOf(files, root);
	for (const [name, arrows] of rooms) {
		if (walls[name] === undefined) {
			violations.push(`${root}/${name}: the table of walls has no entry for it`);
			continue;
		}
		const may = new Set(walls[name].split(' ').filter(Boolean));
		for (const [target, places] of arrows) {
			if (!may.delete(target)) violations.push(`${places[0]}: ${name} may not import ${target}`);
		}
		for (const target of may) violations.push(`${root}/${name}: no longer imports ${target}; take it off the walls`);
	}
	for (const name of Object.keys(walls)) {
		if (!rooms.has(name)) violations.push(`${root}/${name}: is in the table of walls, but is not there`);
	}
	return violations;
}

/** Rooms under `root` that import each other, directly or by others, each cycle with its places. Empty when none do. */
export function roomCycles(files: ReadonlyMap<string, string>, root: string): string[] {
	const rooms = roomsOf(files, root);
	const cycles: string[] = [];
	const done = new Set<string>();
	const trail: string[] = [];
	const visit = (name: string) => {
		const at = trail.indexOf(name);
		if (at >= 0) {
			const cycle = [...trail.slice(at), name];
			const places = cycle.slice(1).map((to, i) => rooms.get(cycle[i]!)!.get(to)![0]);
			cycles.push(`cycle of folders in ${root}: ${cycle.join(' -> ')} (${places.join(', ')})`);
			return;
		}
		if (done.has(name)) return;
		trail.push(name);
		for (const next of rooms.get(name)?.keys() ?? []) visit(next);
		trail.pop();
		done.add(name);
	};
	for (const name of rooms.keys()) visit(name);
	return cycles;
}
