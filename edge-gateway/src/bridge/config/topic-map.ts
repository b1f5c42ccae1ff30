import { coversFilter, matchesFilter } from '../../topics/topic-filter.ts';
import type { TopicRule } from './bridge-config.ts';

/** A topic on the other side, and the index of the rule that leads there. */
export interface Mapped {
	topic: string;
	rule: number;
}

/** Who tells local and remote topics of one bridge from each other. Of the rules that fit, the first counts. */
export class TopicMap {
	readonly rules: readonly TopicRule[];

	constructor(rules: readonly TopicRule[]) {
		this.rules = rules;
	}

	/**
	 * Where a local topic goes, or undefined where it stays. What this gateway tells of its bridges goes nowhere unless a
	 * rule names it.
	 */
	toRemote(topic: string): Mapped | undefined {
		return this.#map(topic, 'in', 'localPrefix', 'remotePrefix');
	}

	/** Where a remote topic belongs here, or undefined where nobody asked for it. */
	toLocal(topic: string): Mapped | undefined {
		return this.#map(topic, 'out', 'remotePrefix', 'localPrefix');
	}

	/** Filters of local messages that go out. */
	localFilters(): string[] {
		return widest(
			this.rules.filter(({ direction }) => direction !== 'in').map(({ localPrefix, pattern }) => localPrefix + pattern),
		);
	}

	/** Filters to subscribe to at the remote, with their QoS: those that no other covers, so that nothing comes twice. */
	remoteFilters(): Map<string, 0 | 1 | 2> {
		const incoming = this.rules
			.filter(({ direction }) => direction !== 'out')
			.map(({ remotePrefix, pattern, qos }) => ({ filter: remotePrefix + pattern, qos }));
		const filters = widest(incoming.map(({ filter }) => filter));
		const highest = (filter: string) =>
			Math.max(...incoming.filter((one) => coversFilter(filter, one.filter)).map(({ qos }) => qos)) as 0 | 1 | 2;
		return new Map(filters.map((filter) => [filter, highest(filter)]));
	}

	/** Filters that went out only, which an earlier configuration may have subscribed to. */
	outgoingFilters(): string[] {
		return this.rules
			.filter(({ direction }) => direction === 'out')
			.map(({ remotePrefix, pattern }) => remotePrefix + pattern);
	}

	#map(
		topic: string,
		not: 'in' | 'out',
		from: 'localPrefix' | 'remotePrefix',
		to: 'localPrefix' | 'remotePrefix',
	): Mapped | undefined {
		for (let rule = 0; rule < this.rules.length; rule++) {
			const { direction, pattern, [from]: prefix, [to]: other } = this.rules[rule]!;
			if (direction === not || !topic.startsWith(prefix)) continue;
			const rest = topic.slice(prefix.length);
			const fits = pattern === '' ? rest === '' : matchesFilter(prefix + pattern, topic);
			if (!fits || (isBridgeState(topic) && !`${prefix}${pattern}`.startsWith(STATE))) continue;
			return { topic: other + rest, rule };
		}
		return undefined;
	}
}

const STATE = 'bridge/';
/** `bridge/{name}/state` tells of a gateway's own connections: `#` does not mean it. */
const isBridgeState = (topic: string) => topic.startsWith(STATE) && topic.endsWith('/state');

/** Those that no other covers. */
function widest(filters: readonly string[]): string[] {
	const different = [...new Set(filters)];
	return different.filter((filter) => !different.some((other) => other !== filter && coversFilter(other, filter)));
}
