import { randomBytes } from 'node:crypto';
import type { Logger } from '@crowdvision/service-kit';
import type { TopicMap } from '../config/topic-map.ts';
import { isProbeTopic, type Probe, parseProbe, probeTopic } from './loop-probe.ts';

/** A bridge as the loop detection sees it. */
export interface GuardedLink {
	readonly name: string;
	readonly topics: TopicMap;
	/** Sends without waiting, at QoS 0; nothing happens while it is not connected. */
	sendProbe(topic: string, payload: string): void;
	/** Connected, and waiting to hear whether it is part of a loop. */
	isListening(): boolean;
	/** What is on standby has changed. */
	standbyChanged(): void;
	/** The remote gives back what this bridge sends. */
	echoes(): void;
}

/** A rule of a bridge that is on standby, as both ends of the path that was found. */
interface Block {
	link: string;
	rule: number;
	kept: string;
	until: number;
}

export interface LoopTimes {
	/** Between two probes. */
	everyMs: number;
	/** The same while a bridge listens. */
	listeningEveryMs: number;
	/** From connecting to the first message. */
	listenMs: number;
	/** A rule stays on standby so long after the last probe that came back. */
	holdMs: number;
}
const LOOP_TIMES: LoopTimes = { everyMs: 2000, listeningEveryMs: 500, listenMs: 3000, holdMs: 7000 };

/** A path of more gateways is not followed: nothing goes round for ever. */
export const MOST_HOPS = 16;
const MOST_FORWARDED_PER_SECOND = 200;
const SUSPECT_MS = 60_000;
/** How long a probe may take that is to find out whether one message has come round. */
const CONFIRM_MS = 1000;

/**
 * Finds loops through brokers that know nothing of it, as Ethernet switches do. A probe is published on every bridge,
 * on a topic below each pattern that goes out; other gateways pass it on from bridge to bridge. If it comes back on
 * another bridge, there is a second way between the two. Of the gateways on that way the one with the lowest id, and
 * only that one, puts the later of its two bridges on standby, for the rule in question. This removes from each loop
 * the highest edge in an order that all agree on, so what is left is a tree that reaches everything (Tarjan's red
 * rule). Probes pass a bridge on standby: when they stop coming back, it is needed again.
 */
export class LoopGuard {
	/** This gateway among others. */
	readonly id: string;
	readonly #logger: Logger;
	readonly #times: LoopTimes;
	readonly #life = randomBytes(6).toString('hex');
	/** In the order of the configuration: the earlier one is kept. */
	#links: GuardedLink[] = [];
	#blocks: Block[] = [];
	/**
	 * What is sent on the one bridge comes in on the other, where standby would cut off whom only one of them reaches.
	 */
	#oneWay = new Map<string, Map<string, number>>();
	/** When a probe last came back on a bridge. */
	readonly #returnedAt = new Map<string, number>();
	/** By the bridges of the way, the same and who waits for it. */
	readonly #ways = new Map<
		string,
		{ returned: number; askedAt: number; waiting: (() => void)[]; asked?: Promise<boolean> | undefined }
	>();
	#timer: NodeJS.Timeout | undefined;
	#n = 0;
	#forwarded = { second: 0, count: 0 };

	constructor(id: string, logger: Logger, times = LOOP_TIMES) {
		this.id = id;
		this.#logger = logger;
		this.#times = times;
	}

	get listenMs(): number {
		return this.#times.listenMs;
	}

	/** The bridges there are from now on. */
	watch(links: readonly GuardedLink[]): void {
		this.#links = [...links];
		this.#blocks = this.#blocks.filter(({ link, kept }) =>
			[link, kept].every((name) => links.some((one) => one.name === name)),
		);
		if (!this.#timer && links.length > 0) this.#schedule();
	}

	stop(): void {
		clearTimeout(this.#timer);
		this.#timer = undefined;
		this.#links = [];
	}

	/** Whether a loop could go through this bridge: what leaves by one must be able to come in by another. */
	concerns(link: GuardedLink): boolean {
		const out = (one: GuardedLink) => one.topics.localFilters().length > 0;
		const into = (one: GuardedLink) => one.topics.remoteFilters().size > 0;
		return this.#links.some((other) => other !== link && ((out(link) && into(other)) || (into(link) && out(other))));
	}

	isOnStandby(link: string, rule: number): boolean {
		for (const block of this.#blocks) if (block.link === link && block.rule === rule) return true;
		return false;
	}

	/** The bridge that carries what this one does not, if it is on standby. */
	standbyFor(link: string): string | undefined {
		return this.#blocks.find((block) => block.link === link)?.kept;
	}

	/**
	 * Whether messages that left by another bridge were seen to come back on this one, or nobody can tell, as a rule
	 * names a single topic.
	 */
	suspects(link: GuardedLink, rule: number): boolean {
		if (!this.concerns(link)) return false;
		return (
			(this.#returnedAt.get(link.name) ?? 0) > performance.now() - SUSPECT_MS ||
			!/[+#]/.test(link.topics.rules[rule]!.pattern)
		);
	}

	/** Finds out now whether what is sent on one bridge comes back on another. */
	confirm(sentOn: string, back: GuardedLink): Promise<boolean> {
		const now = performance.now();
		const way = this.#way(sentOn, back.name);
		if (way.returned > now - this.#times.everyMs) return Promise.resolve(true);
		if (way.asked) return way.asked;
		if (way.askedAt > now - CONFIRM_MS) return Promise.resolve(false);
		const link = this.#links.find(({ name }) => name === sentOn);
		if (!link) return Promise.resolve(false);
		way.asked = new Promise<boolean>((resolve) => {
			const done = (found: boolean) => {
				clearTimeout(timer);
				way.asked = undefined;
				way.askedAt = performance.now();
				resolve(found);
			};
			const timer = setTimeout(() => done(false), CONFIRM_MS);
			way.waiting.push(() => done(true));
		});
		this.#probe(link);
		return way.asked;
	}

	/** Bridges whose messages come back on this one, though neither is on standby. */
	returningFrom(link: string): Iterable<string> {
		return this.#oneWay.get(link)?.keys() ?? [];
	}

	/** Whether what this bridge sends comes back on another that is not on standby for it. */
	returnsElsewhere(link: string): boolean {
		for (const sources of this.#oneWay.values()) if (sources.has(link)) return true;
		return false;
	}

	/** A bridge has connected. */
	connected(link: GuardedLink): void {
		this.#probe(link);
		this.#schedule();
	}

	/** A bridge has lost its connection: what was on standby for it is needed. */
	disconnected(link: GuardedLink): void {
		this.#remove((block) => block.kept === link.name || block.link === link.name);
	}

	/** Whether a remote could give back to a bridge what it sends. */
	mayEcho(link: GuardedLink): boolean {
		return link.topics.rules.some((_, index) => isReturned(link, index, this.id));
	}

	/** Sends a probe by one bridge at once, to hear whether its remote returns what it gets. */
	probeEcho(link: GuardedLink): void {
		link.topics.rules.forEach((_, index) => {
			if (isReturned(link, index, this.id)) this.#send(link, index);
		});
	}

	/** Takes what came on a probe's topic. True where it was one. */
	received(link: GuardedLink, remoteTopic: string, payload: Buffer, now: number): boolean {
		if (!isProbeTopic(remoteTopic)) return false;
		const probe = parseProbe(payload);
		if (!probe) return false;
		const mapped = link.topics.toLocal(remoteTopic);
		if (!mapped) return true;
		if (probe.gateway !== this.id) this.#forward(link, mapped.topic, probe, now);
		else if (probe.life === this.#life) {
			if (probe.link === link.name) {
				if (probe.path.length === 0) link.echoes();
			} else this.#returned(probe, link, mapped.rule, now);
		}
		return true;
	}

	#schedule(): void {
		clearTimeout(this.#timer);
		const { everyMs, listeningEveryMs } = this.#times;
		const listening = this.#links.some((link) => link.isListening());
		this.#timer = setTimeout(
			() => {
				this.#remove(({ until }) => until < performance.now());
				for (const [link, sources] of this.#oneWay) {
					for (const [source, until] of sources) if (until < performance.now()) sources.delete(source);
					if (sources.size === 0) this.#oneWay.delete(link);
				}
				for (const link of this.#links) this.#probe(link);
				this.#schedule();
			},
			listening ? listeningEveryMs : everyMs,
		);
		this.#timer.unref();
	}

	#probe(link: GuardedLink): void {
		if (!this.concerns(link)) return;
		link.topics.rules.forEach((rule, index) => {
			if (rule.direction !== 'in') this.#send(link, index);
		});
	}

	#send(link: GuardedLink, rule: number): void {
		const { remotePrefix, pattern } = link.topics.rules[rule]!;
		const topic = probeTopic(remotePrefix, pattern, this.id, link.name);
		if (topic === undefined) return;
		const probe: Probe = { v: 1, gateway: this.id, link: link.name, rule, life: this.#life, n: ++this.#n, path: [] };
		link.sendProbe(topic, JSON.stringify(probe));
	}

	/** Another gateway's probe goes where a message would go. */
	#forward(from: GuardedLink, localTopic: string, probe: Probe, now: number): void {
		if (probe.path.includes(this.id) || probe.path.length >= MOST_HOPS) return;
		const second = Math.floor(now / 1000);
		if (this.#forwarded.second !== second) this.#forwarded = { second, count: 0 };
		for (const link of this.#links) {
			if (link === from) continue;
			const mapped = link.topics.toRemote(localTopic);
			if (!mapped || ++this.#forwarded.count > MOST_FORWARDED_PER_SECOND) continue;
			link.sendProbe(mapped.topic, JSON.stringify({ ...probe, path: [...probe.path, this.id] }));
		}
	}

	/** A probe of ours came back by another bridge. */
	#returned(probe: Probe, back: GuardedLink, backRule: number, now: number): void {
		const sent = this.#links.find(({ name }) => name === probe.link);
		const sentRule = sent?.topics.rules[probe.rule];
		if (!sent || !sentRule) return;
		this.#returnedAt.set(back.name, now);
		const way = this.#way(sent.name, back.name);
		way.returned = now;
		const until = now + this.#times.holdMs;
		if (sentRule.direction !== 'both' || back.topics.rules[backRule]!.direction !== 'both') {
			const sources = this.#oneWay.get(back.name) ?? new Map<string, number>();
			this.#oneWay.set(back.name, sources.set(sent.name, until));
			for (const told of way.waiting.splice(0)) told();
			return;
		}
		if (probe.path.every((id) => id > this.id)) this.#block(probe, sent, back, backRule, until);
		// Those who waited go on when what is to be on standby is.
		for (const told of way.waiting.splice(0)) told();
	}

	#block(probe: Probe, sent: GuardedLink, back: GuardedLink, backRule: number, until: number): void {
		const later = this.#links.indexOf(sent) > this.#links.indexOf(back);
		const block: Block = later
			? { link: sent.name, rule: probe.rule, kept: back.name, until }
			: { link: back.name, rule: backRule, kept: sent.name, until };
		const known = this.#blocks.find(
			({ link, rule, kept }) => link === block.link && rule === block.rule && kept === block.kept,
		);
		if (known) {
			known.until = until;
			return;
		}
		const news = !this.isOnStandby(block.link, block.rule);
		this.#blocks.push(block);
		if (!news) return;
		this.#logger.warn(
			{ bridge: block.link, carriedBy: block.kept, through: probe.path },
			'bridge: a loop was found; this bridge is on standby',
		);
		this.#links.find(({ name }) => name === block.link)?.standbyChanged();
	}

	#way(sentOn: string, back: string) {
		const key = `${sentOn} ${back}`;
		const way = this.#ways.get(key) ?? {
			returned: Number.NEGATIVE_INFINITY,
			askedAt: Number.NEGATIVE_INFINITY,
			waiting: [],
		};
		this.#ways.set(key, way);
		return way;
	}

	#remove(which: (block: Block) => boolean): void {
		const gone = this.#blocks.filter(which);
		if (gone.length === 0) return;
		this.#blocks = this.#blocks.filter((block) => !gone.includes(block));
		for (const { link, rule } of gone) {
			if (this.isOnStandby(link, rule)) continue;
			this.#logger.warn({ bridge: link }, 'bridge: the loop is gone; this bridge is needed again');
			this.#links.find(({ name }) => name === link)?.standbyChanged();
		}
	}
}

/** Whether what goes out by a rule is what the same bridge has subscribed to. */
function isReturned(link: GuardedLink, rule: number, gateway: string): boolean {
	const { direction, remotePrefix, pattern } = link.topics.rules[rule]!;
	const topic = probeTopic(remotePrefix, pattern, gateway, link.name);
	return direction !== 'in' && topic !== undefined && link.topics.toLocal(topic) !== undefined;
}
