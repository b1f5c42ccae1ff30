/**
 * The level of a topic that marks a probe of the loop detection. Below every pattern with a wildcard at its end, so
 * that a probe goes where messages go.
 */
const PROBE_LEVEL = 'crowdvision-probe';

/** What a gateway sends to find out whether what leaves it by one bridge comes back by another. */
export interface Probe {
	v: 1;
	/** Id of the gateway that sent it, and of its bridge and rule. */
	gateway: string;
	link: string;
	rule: number;
	/** Random per start of the gateway: a probe of an earlier life proves nothing. */
	life: string;
	/** Rises with each probe. */
	n: number;
	/** Gateways that passed it on. */
	path: string[];
}

const MOST_BYTES = 4096;

/** The topic of a probe below a pattern; undefined where the pattern names one topic, which belongs to others. */
export function probeTopic(prefix: string, pattern: string, gateway: string, link: string): string | undefined {
	if (!/[+#]/.test(pattern)) return undefined;
	const levels = pattern
		.split('/')
		.map((level) => (level === '+' ? PROBE_LEVEL : level === '#' ? `${PROBE_LEVEL}/${gateway}/${link}` : level));
	return prefix + levels.join('/');
}

export function isProbeTopic(topic: string): boolean {
	return topic.includes(PROBE_LEVEL);
}

/** The probe in a payload, or undefined where it is none. */
export function parseProbe(payload: Buffer): Probe | undefined {
	if (payload.length > MOST_BYTES) return undefined;
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
