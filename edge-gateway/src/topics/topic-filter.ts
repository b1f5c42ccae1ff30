/** MQTT topic filters: what they match, cover and share, and what is wrong with them. */

/**
 * Whether a topic matches an MQTT topic filter (MQTT 3.1.1 section 4.7). A filter that begins with a wildcard does not
 * match a topic that begins with `$`.
 */
export function matchesFilter(filter: string, topic: string): boolean {
	if (filter === topic) return true;
	if (topic.charCodeAt(0) === DOLLAR && filter.charCodeAt(0) !== DOLLAR) return false;
	const wanted = filter.split('/');
	const levels = topic.split('/');
	for (let i = 0; i < wanted.length; i++) {
		const level = wanted[i];
		if (level === '#') return true;
		if (i >= levels.length || (level !== '+' && level !== levels[i])) return false;
	}
	return wanted.length === levels.length;
}

/** Whether `outer` matches every topic that `inner` matches. */
export function coversFilter(outer: string, inner: string): boolean {
	if (outer === inner) return true;
	if (inner.charCodeAt(0) === DOLLAR && outer.charCodeAt(0) !== DOLLAR) return false;
	const wide = outer.split('/');
	const narrow = inner.split('/');
	for (let i = 0; i < wide.length; i++) {
		if (wide[i] === '#') return true;
		if (i >= narrow.length || narrow[i] === '#') return false;
		if (wide[i] !== '+' && wide[i] !== narrow[i]) return false;
	}
	return wide.length === narrow.length;
}

/** Whether some topic matches both filters. */
export function overlapFilters(one: string, other: string): boolean {
	const a = one.split('/');
	const b = other.split('/');
	for (let i = 0; ; i++) {
		if (a[i] === '#' || b[i] === '#') return true;
		if (i >= a.length || i >= b.length) return a.length === b.length;
		if (a[i] !== '+' && b[i] !== '+' && a[i] !== b[i]) return false;
	}
}

/** The mistake in an MQTT topic filter (MQTT 3.1.1 section 4.7.1), to follow its name; undefined if it is valid. */
export function filterProblem(filter: string): string | undefined {
	const levels = filter.split('/');
	if (levels.slice(0, -1).includes('#')) return 'must have # only at its end';
	const mixed = levels.find((level) => level.length > 1 && /[+#]/.test(level));
	return mixed === undefined
		? undefined
		: `must not have a wildcard inside the level "${mixed}": + and # stand for whole levels`;
}

const DOLLAR = 0x24;
