import { describe, expect, it } from 'vitest';
import type { TopicRule } from './bridge-settings.ts';
import { TopicMap } from './topic-map.ts';

const rule = (given: Partial<TopicRule>): TopicRule => ({
	pattern: '',
	direction: 'both',
	qos: 1,
	localPrefix: '',
	remotePrefix: '',
	keepRetain: true,
	content: 'readings',
	...given,
});

describe('the topics of a bridge', () => {
	// The table in mosquitto.conf(5), option topic.
	it.each([
		[{ pattern: 'pattern', localPrefix: 'L/', remotePrefix: 'R/' }, 'L/pattern', 'R/pattern'],
		[{ pattern: 'pattern', localPrefix: 'L/' }, 'L/pattern', 'pattern'],
		[{ pattern: 'pattern', remotePrefix: 'R/' }, 'pattern', 'R/pattern'],
		[{ pattern: 'pattern' }, 'pattern', 'pattern'],
		[{ localPrefix: 'local', remotePrefix: 'remote' }, 'local', 'remote'],
		[
			{ pattern: '#', localPrefix: 'local/topic/', remotePrefix: 'remote/topic/' },
			'local/topic/a/b',
			'remote/topic/a/b',
		],
		[{ pattern: '+/state', localPrefix: 'L/' }, 'L/x/state', 'x/state'],
	])('are mapped by %j from %s to %s and back', (given, local, remote) => {
		const map = new TopicMap([rule(given)]);
		expect(map.toRemote(local)).toEqual({ topic: remote, rule: 0 });
		expect(map.toLocal(remote)).toEqual({ topic: local, rule: 0 });
	});

	it('are mapped by the first rule that matches, in the direction of the rule', () => {
		const map = new TopicMap([
			rule({ pattern: 'a/b', direction: 'out', remotePrefix: 'one/' }),
			rule({ pattern: '#', direction: 'out', remotePrefix: 'two/' }),
			rule({ pattern: 'c/#', direction: 'in', localPrefix: 'far/' }),
		]);
		expect(map.toRemote('a/b')?.topic).toBe('one/a/b');
		expect(map.toRemote('a/c')?.topic).toBe('two/a/c');
		expect(map.toLocal('one/a/b')).toBeUndefined();
		expect(map.toLocal('c/d')?.topic).toBe('far/c/d');
	});

	it('are subscribed to once each, with the highest QoS of their rules', () => {
		const map = new TopicMap([
			rule({ pattern: 'a/b', qos: 2 }),
			rule({ pattern: 'a/#', qos: 0, direction: 'in' }),
			rule({ pattern: 'c', qos: 1, direction: 'in' }),
			rule({ pattern: 'd', direction: 'out' }),
		]);
		expect([...map.remoteFilters()]).toEqual([
			['a/#', 2],
			['c', 1],
		]);
	});

	it('do not include the state of bridges, nor topics that begin with $, for the pattern #', () => {
		const map = new TopicMap([rule({ pattern: '#' })]);
		expect(map.toRemote('bridge/campus/state')).toBeUndefined();
		expect(map.toLocal('$SYS/uptime')).toBeUndefined();
		expect(new TopicMap([rule({ pattern: 'bridge/#' })]).toRemote('bridge/campus/state')?.topic).toBe(
			'bridge/campus/state',
		);
	});
});
