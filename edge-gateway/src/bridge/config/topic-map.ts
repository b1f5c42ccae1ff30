import { coversFilter, matchesFilter } from '../../topics/topic-filter.ts';
import type { TopicRule } from './bridge-settings.ts';

/** A topic on the other side, and the index of the rule that maps to it. */
export interface Mapped {
	topic: string;
	rule: number;
}

/** Maps between the local and remote topics of one bridge. The first rule that matches a topic counts. */
export class TopicMap {
	readonly rules: readonly TopicRule[];

	constructor(rules: readonly TopicRule[]) {
		this.rules = rules;
	}

	/**
	 * The remote topic for a local one; undefined when it is not bridged. The state of bridges is not bridged unless a
	 * rule names it explicitly.
	 */
	toRemote(topic: string): Mapped | undefined {
		return this.#map(topic, 'in', 'localPrefix', 'remotePrefix');
	}

	/** The local topic for a remote one; undefined when it is not bridged. */
	toLocal(topic: string): Mapped | undefined {
		return this.#map(topic, 'out', 'remotePrefix', 'localPrefix');
	}

	/** Filters for the local messages to send. */
	localFilters(): string[] {
		return widest(
			this.rules.filter(({ direction }) => direction !== 'in').map(({ localPrefix, pattern }) => localPrefix + pattern),
		);
	}

	/**
	 * Filters to subscribe to at the remote, with their QoS. Leaves out filters that another one covers, so that no
	 * message is delivered twice.
	 */
	remoteFilters(): Map<string, 0 | 1 | 2> {
		const incoming = this.rules
			.filter(({ direction }) => direction !== 'out')
			.map(({ remotePrefix, pattern, qos }) => ({ filter: remotePrefix + pattern, qos }));
		const filters = widest(incoming.map(({ filter }) => filter));
		const highest = (filter: string) =>
			Math.max(...incoming.filter((one) => coversFilter(filter, one.filter)).map(({ qos }) => qos)) as 0 | 1 | 2;
		return new Map(filters.map((filter) => [filter, highest(filter)]));
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
/** `bridge/{name}/state` is about a gateway's own connections, so a pattern such as `#` does not include it. */
const isBridgeState = (topic: string) => topic.startsWith(STATE) && topic.endsWith('/state');

/** The filters that no other one covers. */
function widest(filters: readonly string[]): string[] {
	const different = [...new Set(filters)];
	return different.filter((filter) => !different.some((other) => other !== filter && coversFilter(other, filter)));
}
