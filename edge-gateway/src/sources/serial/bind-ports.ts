import type { Candidate } from './candidates.ts';
import type { SerialConfig } from './serial-config.ts';
import type { PortInfo } from './usb-ports.ts';

/** An entry of gateway.yaml, the ports it fits, and what was seen of it before. */
export interface Entry {
	config: SerialConfig;
	candidates: Candidate[];
	memory: EntryMemory;
}

/** What must be known of the past, lest the wrong one of two that look alike is taken when the other is away. */
export interface EntryMemory {
	/** Where its port was when it was opened without doubt. */
	place?: string;
	/** There were once two that it may have meant. */
	contested?: boolean;
}

/** A port to be opened, and the entries it is for: one, or several of which its device has to say which. */
export interface Binding {
	candidate: Candidate;
	entries: Entry[];
}

export interface Bindings {
	bindings: Binding[];
	/** Why an entry has no port, for a person. */
	troubles: Map<Entry, string>;
}

/**
 * Decides which port is whose. What binds what:
 *
 *   exact     a path (/dev/serial/by-path: the socket, whatever is in it), a serial number (the device, wherever it is), usb.path
 *   identify  the device, which is asked who it is
 *   loose     vendor and product, a name below /dev/serial/by-id, /dev/ttyUSB0: while no other port looks like it
 *   glob      every port that nothing above has taken
 *
 * A port belongs to the first kind that fits it. Where two ports fit one entry, or two entries of a kind one port, none
 * is opened, and the reason names them: a guess would put a door's people into another room.
 */
export function bindPorts(entries: readonly Entry[], ports: readonly PortInfo[]): Bindings {
	const bindings: Binding[] = [];
	const troubles = new Map<Entry, string>();
	const taken = new Set<string>();
	for (const kind of KINDS) {
		const ofKind = entries.filter(({ config, candidates }) => kindOf(config, candidates) === kind);
		const free = new Map(ofKind.map((entry) => [entry, entry.candidates.filter(({ node }) => !taken.has(node))]));
		const claimed = Map.groupBy(
			[...free].flatMap(([entry, candidates]) => candidates.map((candidate) => ({ entry, candidate }))),
			({ candidate }) => candidate.node,
		);
		const before = new Set(taken);
		for (const node of claimed.keys()) taken.add(node);
		if (kind === 'identify') {
			for (const claims of claimed.values())
				bindings.push({ candidate: claims[0]!.candidate, entries: claims.map(({ entry }) => entry) });
			continue;
		}
		for (const [entry, candidates] of free) {
			const trouble = doubt(kind, entry, candidates, claimed, ports, before);
			if (trouble !== undefined) troubles.set(entry, trouble);
			else for (const candidate of candidates) bindings.push({ candidate, entries: [entry] });
		}
	}
	return { bindings, troubles };
}

/** Notes that a port was opened and was what it was taken for. */
export function remember({ candidate, entries: [owner] }: Binding): void {
	if (owner && isForOne(owner.config)) owner.memory.place = placeOf(candidate);
}

const KINDS = ['exact', 'identify', 'loose', 'glob'] as const;
type Kind = (typeof KINDS)[number];

function kindOf({ identify, usb, path, glob }: SerialConfig, candidates: Candidate[]): Kind {
	if (identify) return 'identify';
	if (usb) return usb.serialNumber !== undefined || usb.path !== undefined ? 'exact' : 'loose';
	if (glob !== undefined) return 'glob';
	const device = candidates[0]?.usb;
	if (device === undefined || path!.startsWith('/dev/serial/by-path/')) return 'exact';
	return path!.startsWith('/dev/') ? 'loose' : 'exact';
}

/** Whether an entry stands for one device: one whose sensors are named has no place for another. */
const isForOne = ({ glob, defaults }: SerialConfig) => glob === undefined || defaults?.sensorId !== undefined;

const placeOf = ({ usb, byPath, name }: Candidate) => usb?.path ?? byPath ?? name;
const shown = ({ usb, byPath, name, node }: Candidate | (PortInfo & { name?: string })) =>
	byPath ?? (usb ? `${node} (usb ${usb.path})` : (name ?? node));

function doubt(
	kind: Kind,
	{ config, memory, candidates: fitting }: Entry,
	candidates: Candidate[],
	claimed: Map<string, { entry: Entry }[]>,
	ports: readonly PortInfo[],
	taken: ReadonlySet<string>,
): string | undefined {
	const [first] = candidates;
	if (!first) return fitting.length === 0 ? 'not plugged in' : 'every port that fits is another entry’s';
	const shared = candidates.find(({ node }) => claimed.get(node)!.length > 1);
	if (shared)
		return `${shown(shared)} is meant by ${claimed.get(shared.node)!.length} entries of sources.serial; each must name a port of its own`;
	if (!isForOne(config)) return undefined;
	const alike = new Map(
		[...candidates, ...(kind === 'loose' && config.path ? twinsOf(first, ports, taken) : [])].map((port) => [
			port.node,
			port,
		]),
	);
	if (alike.size > 1) {
		memory.contested = true;
		return `may be each of ${[...alike.values()].map(shown).join(' and ')}; name one by /dev/serial/by-path, by usb.path, or let the devices say who they are (identify)`;
	}
	if (memory.contested && memory.place !== placeOf(first)) {
		return `may be the wrong one of two that looked alike: it is now ${shown(first)}; name it by /dev/serial/by-path or by usb.path, or restart the gateway`;
	}
	return undefined;
}

/** Ports whose adapters cannot be told from this one's but by where they are. */
function twinsOf({ node, usb }: Candidate, ports: readonly PortInfo[], taken: ReadonlySet<string>): PortInfo[] {
	const same = (other: PortInfo) =>
		(['vendorId', 'productId', 'serialNumber', 'interface'] as const).every(
			(attribute) => other.usb?.[attribute] === usb?.[attribute],
		);
	return ports.filter(
		(other) => other.node !== node && other.usb !== undefined && !taken.has(other.node) && same(other),
	);
}
