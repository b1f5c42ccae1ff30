import type { Problem } from '@crowdvision/contracts';
import { coversFilter, filterProblem, overlapFilters } from '../../topics/topic-filter.ts';
import { BROKER_URL, type BridgeConfig } from './bridge-config.ts';

/**
 * Finds the mistakes in `bridges` that the schema cannot express: duplicate names, options that exclude each other, and
 * invalid patterns. `value` need not match the schema. Paths are JSON Pointers.
 */
export function bridgeProblems(value: unknown): Problem[] {
	if (!Array.isArray(value)) return [];
	const names = new Set<unknown>();
	return value.flatMap((bridge: Partial<BridgeConfig> | null, index) => {
		if (typeof bridge !== 'object' || bridge === null) return [];
		const at = `/bridges/${index}`;
		const problems: Problem[] = [];
		const has = (key: keyof BridgeConfig) => Object.hasOwn(bridge, key);
		if (names.has(bridge.name)) problems.push({ path: `${at}/name`, message: 'is already the name of another bridge' });
		names.add(bridge.name);
		if (has('url') === has('urls')) problems.push({ path: at, message: 'must have one of url, urls' });
		problems.push(...urlProblems(bridge.url, `${at}/url`));
		if (Array.isArray(bridge.urls))
			problems.push(...bridge.urls.flatMap((url: unknown, n) => urlProblems(url, `${at}/urls/${n}`)));
		const secrets = (['password', 'passwordFile', 'token', 'tokenFile'] as const).filter(has);
		if (secrets.length > 1) problems.push({ path: at, message: `must have at most one of ${secrets.join(', ')}` });
		if ((bridge.start === 'scheduled') !== has('schedule'))
			problems.push({ path: at, message: 'must have schedule if and only if start is scheduled' });
		if (has('lazy') && bridge.start !== 'lazy')
			problems.push({ path: `${at}/lazy`, message: 'is only for start: lazy' });
		if (bridge.tls && (bridge.tls.cert === undefined) !== (bridge.tls.key === undefined))
			problems.push({ path: `${at}/tls`, message: 'must have cert and key together' });
		return [...problems, ...(Array.isArray(bridge.topics) ? topicProblems(bridge.topics, `${at}/topics`) : [])];
	});
}

/**
 * Finds an invalid port, which the schema's pattern accepts, and credentials, which are not used and would appear in
 * logs.
 */
function urlProblems(url: unknown, path: string): Problem[] {
	if (typeof url !== 'string' || !new RegExp(BROKER_URL).test(url)) return [];
	const parsed = URL.parse(url);
	if (!parsed?.hostname)
		return [{ path, message: 'must be a URL such as mqtts://broker.example:8883, with a port up to 65535' }];
	if (parsed.username || parsed.password)
		return [{ path, message: 'must not contain user and password; use username and passwordFile' }];
	return [];
}

function topicProblems(topics: readonly unknown[], at: string): Problem[] {
	const problems: Problem[] = [];
	const incoming: { filter: string; index: number }[] = [];
	topics.forEach((topic, index) => {
		if (typeof topic !== 'object' || topic === null) return;
		const { pattern = '', localPrefix = '', remotePrefix = '', direction } = topic as Record<string, unknown>;
		if (typeof pattern !== 'string' || typeof localPrefix !== 'string' || typeof remotePrefix !== 'string') return;
		const path = `${at}/${index}`;
		if (pattern === '' && (localPrefix === '' || remotePrefix === '')) {
			problems.push({ path, message: 'must have a pattern, or both localPrefix and remotePrefix' });
			return;
		}
		for (const [key, prefix] of [
			['localPrefix', localPrefix],
			['remotePrefix', remotePrefix],
		] as const)
			if (/[+#\0]/.test(prefix)) problems.push({ path: `${path}/${key}`, message: 'must not contain + or #' });
		const wrong = filterProblem(remotePrefix + pattern) ?? filterProblem(localPrefix + pattern);
		if (wrong) problems.push({ path: `${path}/pattern`, message: wrong });
		if (direction !== 'in' && direction !== 'both') return;
		const filter = remotePrefix + pattern;
		// A broker may deliver a message once for each matching subscription (MQTT 3.1.1 section 3.3.5).
		const other = incoming.find(
			(one) =>
				overlapFilters(one.filter, filter) && !coversFilter(one.filter, filter) && !coversFilter(filter, one.filter),
		);
		if (other)
			problems.push({
				path,
				message:
					`partly overlaps topics.${other.index}, so that the remote could deliver a message twice; ` +
					'let one of them cover the other',
			});
		incoming.push({ filter, index });
	});
	return problems;
}
