import { randomBytes } from 'node:crypto';
import type { Logger } from '@crowdvision/service-kit';
import type { TopicMap } from '../config/topic-map.ts';
import { isProbeTopic, MAX_HOPS, type Probe, parseProbe, probeTopic } from './loop-probe.ts';
import { ReturnPaths } from './return-paths.ts';

/** A bridge as the loop detection sees it. */
export interface GuardedLink {
	readonly name: string;
	readonly topics: TopicMap;
	/** Sends with QoS 0, without waiting. Does nothing while the bridge is not connected. */
	sendProbe(topic: string, payload: string): void;
	/** Whether it is connected and waits to find out whether it is part of a loop. */
	isListening(): boolean;
	/** Called when a rule of it goes on standby or is needed again. */
	onStandbyChange(): void;
	/** Called when the remote has sent back a probe of this very bridge. */
	onEcho(): void;
}

/** A rule of a bridge that is on standby. */
interface Standby {
	link: string;
	rule: number;
	/** The bridge that carries its messages. */
	carriedBy: string;
	/** Monotonic ms. */
	until: number;
}

/** Intervals of the loop detection, in ms. */
export interface LoopTimes {
	/** Between two probes. */
	everyMs: number;
	/** Between two probes while a bridge is listening. */
	listeningEveryMs: number;
	/** From connecting to the first message. */
	listenMs: number;
	/** A rule stays on standby for this long after the last probe that came back. */
	holdMs: number;
}
const LOOP_TIMES: LoopTimes = { everyMs: 2000, listeningEveryMs: 500, listenMs: 3000, holdMs: 7000 };

const MAX_FORWARDED_PER_SECOND = 200;
const SUSPECT_MS = 60_000;

/**
 * Finds loops through brokers that do not know about them, as Ethernet switches do. Each bridge publishes probes on a
 * topic below each pattern that goes out; other gateways pass them on from bridge to bridge. If a probe comes back by
 * another bridge, there is a second path between the two. Of the gateways on that path only the one with the lowest id
 * puts the later of its two bridges on standby, for the rule in question. This removes from each loop the highest edge,
 * in an order that all gateways agree on, so what is left is a tree that reaches everything (Tarjan's red rule). Probes
 * still pass a bridge on standby: when they no longer come back, the bridge is needed again.
 */
export class LoopGuard {
	/** Identifies this gateway among others. */
	readonly id: string;
	readonly #logger: Logger;
	readonly #times: LoopTimes;
	/** Marks the probes of this run of the gateway. */
	readonly #life = randomBytes(6).toString('hex');
	/** In the order of the configuration: of two bridges, the earlier one keeps carrying messages. */
	#links: GuardedLink[] = [];
	#standbys: Standby[] = [];
	/**
	 * For each bridge, the bridges whose messages come back by it, and until when that is taken to be so. Only where a
	 * rule has one direction: standby would then cut off the brokers that only one of the bridges reaches.
	 */
	#oneWayReturns = new Map<string, Map<string, number>>();
	/** When a probe last came back by a bridge. */
	readonly #returnedAt = new Map<string, number>();
	readonly #paths = new ReturnPaths();
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

	/** Sets the bridges to guard. */
	watch(links: readonly GuardedLink[]): void {
		this.#links = [...links];
		this.#standbys = this.#standbys.filter(({ link, carriedBy }) =>
			[link, carriedBy].every((name) => links.some((one) => one.name === name)),
		);
		if (!this.#timer && links.length > 0) this.#schedule();
	}

	stop(): void {
		clearTimeout(this.#timer);
		this.#timer = undefined;
		this.#links = [];
	}

	/**
	 * Whether a loop could go through this bridge: messages must be able to leave by one bridge and return by another.
	 */
	mayLoop(link: GuardedLink): boolean {
		const out = (one: GuardedLink) => one.topics.localFilters().length > 0;
		const into = (one: GuardedLink) => one.topics.remoteFilters().size > 0;
		return this.#links.some((other) => other !== link && ((out(link) && into(other)) || (into(link) && out(other))));
	}

	isOnStandby(link: string, rule: number): boolean {
		for (const standby of this.#standbys) if (standby.link === link && standby.rule === rule) return true;
		return false;
	}

	/** The bridge that carries the messages of this one, if it is on standby. */
	standbyFor(link: string): string | undefined {
		return this.#standbys.find((standby) => standby.link === link)?.carriedBy;
	}

	/**
	 * Whether messages of other bridges may come back by this one: probes have done so of late, or cannot tell, because
	 * the rule names a single topic.
	 */
	suspects(link: GuardedLink, rule: number): boolean {
		if (!this.mayLoop(link)) return false;
		return (
			(this.#returnedAt.get(link.name) ?? 0) > performance.now() - SUSPECT_MS ||
			!/[+#]/.test(link.topics.rules[rule]!.pattern)
		);
	}

	/** Finds out whether what one bridge sends comes back by another, with a new probe if necessary. */
	confirm(sentBy: string, back: GuardedLink): Promise<boolean> {
		const link = this.#links.find(({ name }) => name === sentBy);
		return this.#paths.confirm(sentBy, back.name, this.#times.everyMs, link && (() => this.#probe(link)));
	}

	/** The bridges whose messages come back by this one although neither is on standby. */
	returningFrom(link: string): Iterable<string> {
		return this.#oneWayReturns.get(link)?.keys() ?? [];
	}

	/** Whether messages of this bridge come back by another one that is not on standby. */
	returnsElsewhere(link: string): boolean {
		for (const sources of this.#oneWayReturns.values()) if (sources.has(link)) return true;
		return false;
	}

	/** Call it when a bridge has connected. */
	connected(link: GuardedLink): void {
		this.#probe(link);
		this.#schedule();
	}

	/** Call it when a bridge has lost its connection: bridges on standby because of it are needed. */
	disconnected(link: GuardedLink): void {
		this.#endStandbys((standby) => standby.carriedBy === link.name || standby.link === link.name);
	}

	/** Whether a remote could send back to a bridge what the bridge sends. */
	mayEcho(link: GuardedLink): boolean {
		return link.topics.rules.some((_, index) => isSubscribedTo(link, index, this.id));
	}

	/** Sends probes by one bridge at once, to find out whether its remote sends them back. */
	probeEcho(link: GuardedLink): void {
		link.topics.rules.forEach((_, index) => {
			if (isSubscribedTo(link, index, this.id)) this.#send(link, index);
		});
	}

	/** Handles a message that a bridge received. True when it was a probe. `now` is monotonic, in ms. */
	received(link: GuardedLink, remoteTopic: string, payload: Buffer, now: number): boolean {
		if (!isProbeTopic(remoteTopic)) return false;
		const probe = parseProbe(payload);
		if (!probe) return false;
		const mapped = link.topics.toLocal(remoteTopic);
		if (!mapped) return true;
		if (probe.gateway !== this.id) this.#forward(link, mapped.topic, probe, now);
		else if (probe.life === this.#life) {
			if (probe.link === link.name) {
				if (probe.path.length === 0) link.onEcho();
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
				this.#endStandbys(({ until }) => until < performance.now());
				for (const [link, sources] of this.#oneWayReturns) {
					for (const [source, until] of sources) if (until < performance.now()) sources.delete(source);
					if (sources.size === 0) this.#oneWayReturns.delete(link);
				}
				for (const link of this.#links) this.#probe(link);
				this.#schedule();
			},
			listening ? listeningEveryMs : everyMs,
		);
		this.#timer.unref();
	}

	#probe(link: GuardedLink): void {
		if (!this.mayLoop(link)) return;
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

	/** Passes another gateway's probe on, by the bridges that would send a message with this topic. */
	#forward(from: GuardedLink, localTopic: string, probe: Probe, now: number): void {
		if (probe.path.includes(this.id) || probe.path.length >= MAX_HOPS) return;
		const second = Math.floor(now / 1000);
		if (this.#forwarded.second !== second) this.#forwarded = { second, count: 0 };
		for (const link of this.#links) {
			if (link === from) continue;
			const mapped = link.topics.toRemote(localTopic);
			if (!mapped || ++this.#forwarded.count > MAX_FORWARDED_PER_SECOND) continue;
			link.sendProbe(mapped.topic, JSON.stringify({ ...probe, path: [...probe.path, this.id] }));
		}
	}

	/** Handles a probe of this gateway that came back by another bridge. */
	#returned(probe: Probe, back: GuardedLink, backRule: number, now: number): void {
		const sent = this.#links.find(({ name }) => name === probe.link);
		const sentRule = sent?.topics.rules[probe.rule];
		if (!sent || !sentRule) return;
		this.#returnedAt.set(back.name, now);
		const path = this.#paths.returned(sent.name, back.name, now);
		const until = now + this.#times.holdMs;
		const isTwoWay = sentRule.direction === 'both' && back.topics.rules[backRule]!.direction === 'both';
		if (!isTwoWay) {
			const sources = this.#oneWayReturns.get(back.name) ?? new Map<string, number>();
			this.#oneWayReturns.set(back.name, sources.set(sent.name, until));
		} else if (probe.path.every((id) => id > this.id)) this.#beginStandby(probe, sent, back, backRule, until);
		// Messages that waited for this answer go on only now that the bridge is on standby.
		path.resolve();
	}

	#beginStandby(probe: Probe, sent: GuardedLink, back: GuardedLink, backRule: number, until: number): void {
		const isSentLater = this.#links.indexOf(sent) > this.#links.indexOf(back);
		const standby: Standby = isSentLater
			? { link: sent.name, rule: probe.rule, carriedBy: back.name, until }
			: { link: back.name, rule: backRule, carriedBy: sent.name, until };
		const existing = this.#standbys.find(
			({ link, rule, carriedBy }) => link === standby.link && rule === standby.rule && carriedBy === standby.carriedBy,
		);
		if (existing) {
			existing.until = until;
			return;
		}
		const isFirst = !this.isOnStandby(standby.link, standby.rule);
		this.#standbys.push(standby);
		if (!isFirst) return;
		this.#logger.warn(
			{ bridge: standby.link, carriedBy: standby.carriedBy, through: probe.path },
			'bridge: a loop was found; this bridge is on standby',
		);
		this.#links.find(({ name }) => name === standby.link)?.onStandbyChange();
	}

	#endStandbys(which: (standby: Standby) => boolean): void {
		const ended = this.#standbys.filter(which);
		if (ended.length === 0) return;
		this.#standbys = this.#standbys.filter((standby) => !ended.includes(standby));
		for (const { link, rule } of ended) {
			if (this.isOnStandby(link, rule)) continue;
			this.#logger.warn({ bridge: link }, 'bridge: the loop is gone; this bridge is needed again');
			this.#links.find(({ name }) => name === link)?.onStandbyChange();
		}
	}
}

/** Whether a bridge is subscribed to the topics that it sends by a rule. */
function isSubscribedTo(link: GuardedLink, rule: number, gateway: string): boolean {
	const { direction, remotePrefix, pattern } = link.topics.rules[rule]!;
	const topic = probeTopic(remotePrefix, pattern, gateway, link.name);
	return direction !== 'in' && topic !== undefined && link.topics.toLocal(topic) !== undefined;
}
