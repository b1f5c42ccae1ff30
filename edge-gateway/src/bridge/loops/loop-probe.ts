/** A path of more gateways is not followed, so that no message circulates forever. */
export const MAX_HOPS = 16;

/**
 * The topic level that marks a probe of the loop detection. It stands in place of the wildcards of a pattern, so that a
 * probe takes the same path as the messages.
 */
const PROBE_LEVEL = 'crowdvision-probe';

/** A message with which a gateway finds out whether what leaves by one of its bridges comes back by another. */
export interface Probe {
	v: 1;
	/** The gateway that sent the probe, and the bridge and rule by which. */
	gateway: string;
	link: string;
	rule: number;
	/** Random per start of the gateway: a probe from before a restart proves nothing. */
	life: string;
	/** Rises with each probe. */
	n: number;
	/** The gateways that have passed it on. */
	path: string[];
}

const MAX_PROBE_BYTES = 4096;

/** The topic for probes of a pattern; undefined for a single topic, whose subscribers must not get probes. */
export function probeTopic(prefix: string, pattern: string, gateway: string, link: string): string | undefined {
	if (!/[+#]/.test(pattern)) return undefined;
	const levels = pattern
		.split('/')
		.map((level) => (level === '+' ? PROBE_LEVEL : level === '#' ? `${PROBE_LEVEL}/${gateway}/${link}` : level));
	return prefix + levels.join('/');
}

/** Whether a topic is one for probes. The payload still may not be one. */
export function isProbeTopic(topic: string): boolean {
	return topic.includes(PROBE_LEVEL);
}

/** Parses a probe; undefined when the payload is not one. */
export function parseProbe(payload: Buffer): Probe | undefined {
	if (payload.length > MAX_PROBE_BYTES) return undefined;
	try {
		const probe = JSON.parse(payload.toString()) as Partial<Probe>;
		const { v, gateway, link, rule, life, n, path } = probe;
		const valid =
			v === 1 &&
			typeof gateway === 'string' &&
			typeof link === 'string' &&
			Number.isSafeInteger(rule) &&
			typeof life === 'string' &&
			Number.isSafeInteger(n) &&
			Array.isArray(path) &&
			path.every((id) => typeof id === 'string');
		return valid ? (probe as Probe) : undefined;
	} catch {
		return undefined;
	}
}
