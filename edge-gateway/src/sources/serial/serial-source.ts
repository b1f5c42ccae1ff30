/** The serial source: opens the ports that gateway.yaml names, as they come and go. */
import { type Deliver, deliverTo, type Take } from '../../frame.ts';
import type { Source } from '../source.ts';
import { type Binding, bindPorts, type Entry, remember } from './bind-ports.ts';
import { candidatesOf, entryName, resolvePaths } from './candidates.ts';
import type { SerialParts } from './conversation.ts';
import { type PortCounts, PortSession, type PortVariant } from './port-session.ts';
import { foldersOf, PortWatch } from './port-watch.ts';
import type { SerialConfig } from './serial-config.ts';
import { usbPorts } from './usb-ports.ts';

/** Beyond this number of port names all counters start again: names come from a pattern, and must not pile up. */
const MAX_COUNTED_PORTS = 256;

/**
 * All serial ports. Whenever a port may have come or gone, the ports are matched with `sources.serial` of gateway.yaml
 * again, and each port that an entry names has a session:
 *
 *   kernel events ─▶ usbPorts, candidatesOf ─▶ bindPorts ─▶ sessions: open ▸ framing ▸ conversation ─▶ deliver
 */
export class SerialSource implements Source {
	readonly #parts: SerialParts;
	readonly #root: string;
	readonly #watch: PortWatch;
	readonly #sessions = new Map<string, PortSession>();
	readonly #counts = new Map<string, PortCounts>();
	/** The name that the device at each port has stated. */
	readonly #statedNames = new Map<PortSession, string>();
	#entries: Entry[];
	#deliver: Deliver | undefined;
	#troubles = new Map<string, string>();
	#scanning: Promise<void> | undefined;
	#scanAgain = false;
	#isStopped = false;

	/** @param root folder that stands for `/` where ports are looked for */
	constructor(configs: readonly SerialConfig[], root: string, parts: SerialParts) {
		this.#entries = configs.map(entryOf);
		this.#root = root;
		this.#parts = parts;
		this.#watch = new PortWatch(
			() =>
				foldersOf(
					this.#entries.flatMap(({ config }) => config.path ?? config.glob ?? []),
					root,
				),
			() => void this.#scan(),
		);
	}

	async start(take: Take): Promise<void> {
		this.#deliver = deliverTo(take);
		if (this.#entries.length === 0) return;
		await this.#scan();
		this.#watch.start();
	}

	async stop(): Promise<void> {
		this.#isStopped = true;
		this.#deliver = undefined;
		this.#watch.stop();
		await this.#scanning;
		await this.#close([...this.#sessions.keys()]);
	}

	/** Applies another configuration. Ports whose entry has not changed stay open. */
	async update(configs: readonly SerialConfig[]): Promise<void> {
		const before = new Map(this.#entries.map((entry) => [JSON.stringify(entry.config), entry]));
		this.#entries = configs.map((config) => before.get(JSON.stringify(config)) ?? entryOf(config));
		if (this.#deliver && configs.length > 0) this.#watch.start();
		await this.#scan();
	}

	trouble(): string | undefined {
		const troubles = [...this.#troubles].map(([name, trouble]) => `${name}: ${trouble}`);
		for (const session of this.#sessions.values()) if (session.trouble) troubles.push(session.trouble);
		return troubles.length > 0 ? `serial: ${troubles.join('; ')}` : undefined;
	}

	/** The counters of each port since the start, by the port's name. */
	counts(): ReadonlyMap<string, PortCounts> {
		return this.#counts;
	}

	/** Scans the ports, one scan at a time. A call during a scan causes another one after it, and waits for both. */
	async #scan(): Promise<void> {
		this.#scanAgain = true;
		this.#scanning ??= (async () => {
			while (this.#scanAgain && !this.#isStopped) {
				this.#scanAgain = false;
				try {
					await this.#reconcile();
				} catch (error) {
					this.#parts.logger.error({ err: error }, 'serial: scanning the ports failed');
				}
			}
		})().finally(() => {
			this.#scanning = undefined;
		});
		await this.#scanning;
	}

	async #bind(): Promise<{ bindings: Map<string, Binding>; troubles: Map<Entry, string> }> {
		const entries = this.#entries;
		const paths = await Promise.all(entries.map(({ config }) => resolvePaths(config, this.#root)));
		// The ports are listed after the paths: a path must not lead to a port that is newer than the list.
		const ports = await usbPorts(this.#root);
		for (const [index, entry] of entries.entries()) entry.candidates = candidatesOf(entry.config, paths[index]!, ports);
		const { bindings, troubles } = bindPorts(entries, ports);
		return { bindings: new Map(bindings.map((binding) => [keyOf(binding), binding])), troubles };
	}

	/** Called once a port is open: since the scan, its device file may have become another device's. */
	async #isStillBound(key: string): Promise<boolean> {
		const binding = (await this.#bind()).bindings.get(key);
		if (binding) remember(binding);
		return binding !== undefined;
	}

	async #reconcile(): Promise<void> {
		const { bindings, troubles } = await this.#bind();
		if (this.#isStopped) return;
		// A port that now belongs to another entry must be closed before it is opened for that one.
		await this.#close([...this.#sessions.keys()].filter((key) => !bindings.has(key)));
		this.#reportTroubles(troubles);
		for (const [key, binding] of bindings) {
			const session = this.#sessions.get(key);
			if (session) session.retryNow();
			else this.#open(key, binding);
		}
	}

	#open(key: string, { candidate, entries }: Binding): void {
		const configs = entries.map(({ config }) => config);
		const name = configs[0]!.identify ? (candidate.byPath ?? candidate.node) : candidate.name;
		const session: PortSession = new PortSession(
			{
				name,
				node: candidate.node,
				variants: variantsOf(configs),
				counts: this.#countsOf(name),
				deliver: () => this.#deliver,
				isStillBound: () => this.#isStillBound(key),
				claim: (device) => this.#claim(session, name, device, configs),
				onClosed: () => void this.#statedNames.delete(session),
			},
			this.#parts,
		);
		this.#sessions.set(key, session);
		session.start();
	}

	async #close(keys: string[]): Promise<void> {
		await Promise.all(
			keys.map(async (key) => {
				const session = this.#sessions.get(key);
				this.#sessions.delete(key);
				await session?.stop();
			}),
		);
	}

	/** Lists each missing port with the reason, and logs a reason that has changed. */
	#reportTroubles(troubles: Map<Entry, string>): void {
		const current = new Map([...troubles].map(([{ config }, trouble]) => [entryName(config), trouble]));
		for (const [name, trouble] of current) {
			if (this.#troubles.get(name) === trouble) continue;
			this.#parts.logger.warn({ port: name }, `serial: ${trouble}`);
			this.#parts.devices.setMissing(name, undefined, 'serial', trouble);
		}
		for (const name of this.#troubles.keys()) if (!current.has(name)) this.#parts.devices.clearMissing(name, 'serial');
		this.#troubles = current;
	}

	/** See Wire.claim. */
	#claim(session: PortSession, port: string, device: string, configs: SerialConfig[]): SerialConfig | undefined {
		const isNew = this.#statedNames.get(session) !== device;
		this.#statedNames.set(session, device);
		const config = configs.find(({ identify }) => identify?.device === device);
		if (!config && isNew)
			this.#parts.logger.warn({ port, device }, 'serial: the device states a name that no entry of gateway.yaml has');
		const rivals = [...this.#statedNames].filter(([other, name]) => other !== session && name === device);
		if (!config || rivals.length === 0) return config;
		if (isNew)
			this.#parts.logger.error(
				{ port, device },
				'serial: two devices state the same name; nothing is taken from either',
			);
		for (const [rival] of rivals) rival.disputeIdentity();
		return undefined;
	}

	#countsOf(name: string): PortCounts {
		let counts = this.#counts.get(name);
		if (!counts) {
			if (this.#counts.size >= MAX_COUNTED_PORTS) this.#counts.clear();
			counts = { opened: 0, bytes: 0, frames: 0, discarded: 0, floods: 0, unwritten: 0, silences: 0 };
			this.#counts.set(name, counts);
		}
		return counts;
	}
}

const entryOf = (config: SerialConfig): Entry => ({ config, candidates: [], memory: {} });

/** Key of a session: a session lives as long as the port, its name and its entries stay the same. */
const keyOf = ({ candidate, entries }: Binding) =>
	JSON.stringify([candidate.name, candidate.node, entries.map(({ config }) => config)]);

/** Groups entries by their line settings and question. */
function variantsOf(configs: SerialConfig[]): PortVariant[] {
	const groups = Map.groupBy(configs, ({ identify, path, glob, usb, defaults, sensorIds, ...line }) =>
		JSON.stringify({ ...line, identify: { ...identify, device: undefined } }),
	);
	return [...groups.values()] as unknown as PortVariant[];
}
