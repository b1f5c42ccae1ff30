/** Decides which serial port belongs to which entry of gateway.yaml. */
import type { Candidate } from './candidates.ts';
import type { SerialConfig } from './serial-config.ts';
import type { PortInfo } from './usb-ports.ts';

/** An entry of gateway.yaml, the ports that fit it now, and what earlier bindings showed. */
export interface Entry {
	config: SerialConfig;
	candidates: Candidate[];
	memory: EntryMemory;
}

/** Of two devices that look alike, keeps the wrong one from being bound while the other is unplugged. */
export interface EntryMemory {
	/** Where the entry's port was when it was last bound without ambiguity. */
	location?: string;
	/** Whether two ports have fitted the entry at the same time. */
	contested?: boolean;
}

/** A port to open, and the entries it may be for. Where there are several, its device has to say which it is. */
export interface Binding {
	candidate: Candidate;
	entries: Entry[];
}

/** The result of bindPorts. */
export interface Bindings {
	bindings: Binding[];
	/** Why an entry has no port, for a person. */
	troubles: Map<Entry, string>;
}

/**
 * Assigns ports to the entries of `sources.serial`. The kinds of entries, in order of precedence:
 *
 *   exact     a path below /dev/serial/by-path or usb.path (a USB socket, whatever is plugged in), or a serial number
 *             (a device, in whichever socket)
 *   identify  a device that is asked for its name
 *   loose     vendor and product id, a path below /dev/serial/by-id, or /dev/ttyUSB0: as long as no other port looks
 *             the same
 *   glob      every port that no entry above has taken
 *
 * A port goes to the first kind that fits it. Where two ports fit one entry, or two entries of one kind fit one port,
 * none is opened and the reason names them: a guess would count a door's people in another room.
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
			const trouble = ambiguity(kind, entry, candidates, { claimed, ports, taken: before });
			if (trouble !== undefined) troubles.set(entry, trouble);
			else for (const candidate of candidates) bindings.push({ candidate, entries: [entry] });
		}
	}
	return { bindings, troubles };
}

/** Records the port's location in its entry, once the port was opened and is still bound to it. */
export function remember({ candidate, entries: [owner] }: Binding): void {
	if (owner && isForOneDevice(owner.config)) owner.memory.location = locationOf(candidate);
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

/** Whether an entry can stand for one device only: a pattern does not, unless all its readings are one sensor's. */
const isForOneDevice = ({ glob, defaults }: SerialConfig) => glob === undefined || defaults?.sensorId !== undefined;

const locationOf = ({ usb, byPath, name }: Candidate) => usb?.path ?? byPath ?? name;
const label = ({ usb, byPath, name, node }: Candidate | (PortInfo & { name?: string })) =>
	byPath ?? (usb ? `${node} (usb ${usb.path})` : (name ?? node));

/**
 * Why an entry cannot be bound, for a person; undefined when it can.
 * @param candidates the ports that fit the entry and that no kind before has taken
 */
function ambiguity(
	kind: Kind,
	{ config, memory, candidates: fitting }: Entry,
	candidates: Candidate[],
	{
		claimed,
		ports,
		taken,
	}: { claimed: Map<string, { entry: Entry }[]>; ports: readonly PortInfo[]; taken: ReadonlySet<string> },
): string | undefined {
	const [first] = candidates;
	if (!first) return fitting.length === 0 ? 'not plugged in' : 'every port that fits belongs to another entry';
	const shared = candidates.find(({ node }) => claimed.get(node)!.length > 1);
	if (shared) {
		const entries = claimed.get(shared.node)!.length;
		return `${label(shared)} fits ${entries} entries of sources.serial; let each entry name a port of its own`;
	}
	if (!isForOneDevice(config)) return undefined;
	const alike = new Map(
		[...candidates, ...(kind === 'loose' && config.path ? twinsOf(first, ports, taken) : [])].map((port) => [
			port.node,
			port,
		]),
	);
	if (alike.size > 1) {
		memory.contested = true;
		const names = [...alike.values()].map(label).join(' and ');
		return `could be any of ${names}; name one by /dev/serial/by-path or usb.path, or ask the devices with identify`;
	}
	if (memory.contested && memory.location !== locationOf(first)) {
		return (
			`may be the wrong one of two devices that look alike: it is now ${label(first)}; ` +
			'name it by /dev/serial/by-path or usb.path, or restart the gateway'
		);
	}
	return undefined;
}

/** Ports of adapters that differ from this one's by their USB socket only. */
function twinsOf({ node, usb }: Candidate, ports: readonly PortInfo[], taken: ReadonlySet<string>): PortInfo[] {
	const same = (other: PortInfo) =>
		(['vendorId', 'productId', 'serialNumber', 'interface'] as const).every(
			(attribute) => other.usb?.[attribute] === usb?.[attribute],
		);
	return ports.filter(
		(other) => other.node !== node && other.usb !== undefined && !taken.has(other.node) && same(other),
	);
}
