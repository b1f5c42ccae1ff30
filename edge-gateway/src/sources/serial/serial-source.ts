import type { Deliver, Source } from '../source.ts';
import { type Binding, bindPorts, type Entry, remember } from './bind-ports.ts';
import { candidatesOf, entryName, pathsOf } from './candidates.ts';
import type { SerialParts } from './conversation.ts';
import { foldersOf, PortWatch } from './port-watch.ts';
import type { SerialConfig } from './serial-config.ts';
import { type PortCounts, SerialSession } from './serial-session.ts';
import { usbPorts } from './usb-ports.ts';

/** Beyond it, the counts of ports that are gone are forgotten. */
const MOST_COUNTED = 256;

/**
 * All serial ports. Whenever a port may have come or gone, they are matched with `sources.serial` of gateway.yaml anew,
 * and each port that is somebody's has a session:
 *
 *   kernel's events ─▶ usbPorts, candidatesOf ─▶ bindPorts ─▶ sessions: open ▸ framing ▸ conversation ─▶ deliver
 */
export class SerialSource implements Source {
	readonly name = 'serial';
	readonly #parts: SerialParts;
	readonly #root: string;
	readonly #watch: PortWatch;
	readonly #sessions = new Map<string, SerialSession>();
	readonly #counts = new Map<string, PortCounts>();
	/** What the device at each port says it is. */
	readonly #said = new Map<SerialSession, string>();
	#entries: Entry[];
	#deliver: Deliver | undefined;
	#troubles = new Map<string, string>();
	#looking: Promise<void> | undefined;
	#lookAgain = false;
	#stopped = false;

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
			() => void this.#look(),
		);
	}

	async start(deliver: Deliver): Promise<void> {
		this.#deliver = deliver;
		if (this.#entries.length === 0) return;
		await this.#look();
		this.#watch.start();
	}

	async stop(): Promise<void> {
		this.#stopped = true;
		this.#deliver = undefined;
		this.#watch.stop();
		await this.#looking;
		await this.#close([...this.#sessions.keys()]);
	}

	/** Goes on with another configuration: ports whose entry is as before stay open. */
	async update(configs: readonly SerialConfig[]): Promise<void> {
		const before = new Map(this.#entries.map((entry) => [JSON.stringify(entry.config), entry]));
		this.#entries = configs.map((config) => before.get(JSON.stringify(config)) ?? entryOf(config));
		if (this.#deliver && configs.length > 0) this.#watch.start();
		await this.#look();
	}

	trouble(): string | undefined {
		const troubles = [...this.#troubles].map(([name, trouble]) => `${name}: ${trouble}`);
		for (const session of this.#sessions.values()) if (session.trouble) troubles.push(session.trouble);
		return troubles.length > 0 ? `serial: ${troubles.join('; ')}` : undefined;
	}

	/** What is counted of each port since the start. */
	counts(): ReadonlyMap<string, PortCounts> {
		return this.#counts;
	}

	/** One look at a time; whoever asks meanwhile gets another after it. */
	async #look(): Promise<void> {
		this.#lookAgain = true;
		this.#looking ??= (async () => {
			while (this.#lookAgain && !this.#stopped) {
				this.#lookAgain = false;
				try {
					await this.#reconcile();
				} catch (error) {
					this.#parts.logger.error({ err: error }, 'serial: looking for ports failed');
				}
			}
		})().finally(() => {
			this.#looking = undefined;
		});
		await this.#looking;
	}

	async #bind(): Promise<{ bindings: Map<string, Binding>; troubles: Map<Entry, string> }> {
		const entries = this.#entries;
		const looks = await Promise.all(entries.map(({ config }) => pathsOf(config, this.#root)));
		// After the paths: what a path leads to must not be newer than what is known of the ports.
		const ports = await usbPorts(this.#root);
		for (const [index, entry] of entries.entries()) entry.candidates = candidatesOf(entry.config, looks[index]!, ports);
		const { bindings, troubles } = bindPorts(entries, ports);
		return { bindings: new Map(bindings.map((binding) => [keyOf(binding), binding])), troubles };
	}

	/** Asked once the port is open: it may have become another's since it was looked for. */
	async #holds(key: string): Promise<boolean> {
		const binding = (await this.#bind()).bindings.get(key);
		if (binding) remember(binding);
		return binding !== undefined;
	}

	async #reconcile(): Promise<void> {
		const { bindings, troubles } = await this.#bind();
		if (this.#stopped) return;
		// What is somebody else's now must be closed before it can be opened.
		await this.#close([...this.#sessions.keys()].filter((key) => !bindings.has(key)));
		this.#tell(troubles);
		for (const [key, binding] of bindings) {
			const session = this.#sessions.get(key);
			if (session) session.hurry();
			else this.#open(key, binding);
		}
	}

	#open(key: string, { candidate, entries }: Binding): void {
		const configs = entries.map(({ config }) => config);
		const name = configs[0]!.identify ? (candidate.byPath ?? candidate.node) : candidate.name;
		const session: SerialSession = new SerialSession(
			{
				name,
				node: candidate.node,
				ways: waysOf(configs),
				counts: this.#countsOf(name),
				deliver: () => this.#deliver,
				holds: () => this.#holds(key),
				claim: (device) => this.#claim(session, name, device, configs),
				closed: () => void this.#said.delete(session),
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

	/** Ports that are missing are listed, each with the reason; a change of it is logged. */
	#tell(troubles: Map<Entry, string>): void {
		const told = new Map([...troubles].map(([{ config }, trouble]) => [entryName(config), trouble]));
		for (const [name, trouble] of told) {
			if (this.#troubles.get(name) === trouble) continue;
			this.#parts.logger.warn({ port: name }, `serial: ${trouble}`);
			this.#parts.devices.missing(name, undefined, 'serial', trouble);
		}
		for (const name of this.#troubles.keys()) if (!told.has(name)) this.#parts.devices.found(name, 'serial');
		this.#troubles = told;
	}

	#claim(session: SerialSession, port: string, device: string, configs: SerialConfig[]): SerialConfig | undefined {
		const news = this.#said.get(session) !== device;
		this.#said.set(session, device);
		const config = configs.find(({ identify }) => identify?.device === device);
		if (!config && news)
			this.#parts.logger.warn(
				{ port, device },
				'serial: the device says that it is one which no entry of gateway.yaml names',
			);
		const same = [...this.#said].filter(([other, said]) => other !== session && said === device);
		if (!config || same.length === 0) return config;
		if (news)
			this.#parts.logger.error(
				{ port, device },
				'serial: two devices say that they are the same one; neither is believed',
			);
		for (const [other] of same) other.doubt();
		return undefined;
	}

	#countsOf(name: string): PortCounts {
		let counts = this.#counts.get(name);
		if (!counts) {
			if (this.#counts.size >= MOST_COUNTED) this.#counts.clear();
			counts = { opened: 0, bytes: 0, frames: 0, discarded: 0, floods: 0, unwritten: 0, silences: 0 };
			this.#counts.set(name, counts);
		}
		return counts;
	}
}

const entryOf = (config: SerialConfig): Entry => ({ config, candidates: [], memory: {} });

/** Sessions are as long as the port, its name and what it is for are the same. */
const keyOf = ({ candidate, entries }: Binding) =>
	JSON.stringify([candidate.name, candidate.node, entries.map(({ config }) => config)]);

/** Entries whose devices are spoken with in the same way can be told apart over one opening of the port. */
function waysOf(configs: SerialConfig[]): (readonly [SerialConfig, ...SerialConfig[]])[] {
	const ways = Map.groupBy(configs, ({ identify, path, glob, usb, defaults, sensorIds, ...line }) =>
		JSON.stringify({ ...line, identify: { ...identify, device: undefined } }),
	);
	return [...ways.values()] as unknown as [SerialConfig, ...SerialConfig[]][];
}
