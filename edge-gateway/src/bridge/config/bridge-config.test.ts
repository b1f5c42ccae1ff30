import { describe, expect, it } from 'vitest';
import { parseGatewayFile } from '../../configuration/gateway-file.ts';
import { bridgeSettings } from './bridge-settings.ts';

const parse = (bridge: string) => parseGatewayFile('gateway.yaml', `bridges:\n  - ${bridge}\n`);
const TOPICS = 'topics: [{pattern: "#"}]';

describe('bridges in gateway.yaml', () => {
	it('are read with their defaults', () => {
		const { bridges } = parseGatewayFile(
			'gateway.yaml',
			`bridges:
  - name: campus
    url: mqtts://broker.example:8883
    username: site-a
    topics:
      - {pattern: "telemetry/#", direction: out, qos: 1, remotePrefix: site-a/}
      - {pattern: "command/#", direction: in, qos: 1, remotePrefix: site-a/}
`,
		);
		expect(bridgeSettings(bridges![0]!, 'pi')).toMatchObject({
			urls: ['mqtts://broker.example:8883'],
			clientId: 'pi.campus',
			protocol: 'auto',
			cleanSession: false,
			keepAliveMs: 60_000,
			rules: [
				{
					pattern: 'telemetry/#',
					direction: 'out',
					qos: 1,
					remotePrefix: 'site-a/',
					localPrefix: '',
					keepRetain: true,
					content: 'readings',
				},
				{ pattern: 'command/#', direction: 'in' },
			],
		});
	});

	it.each([
		['{name: a, url: "mqtt://h", protocol: 3.1.1, topics: [{pattern: "#"}]}', '3.1.1'],
		['{name: a, url: "mqtt://h", protocol: 5, topics: [{pattern: "#"}]}', '5'],
	])('may name the protocol as a number or a text: %s', (bridge, protocol) => {
		expect(bridgeSettings(parse(bridge).bridges![0]!, 'pi').protocol).toBe(protocol);
	});

	it.each([
		[`{name: a, ${TOPICS}}`, 'must have one of url, urls'],
		[`{name: a, url: "mqtt://h", urls: ["mqtt://g"], ${TOPICS}}`, 'must have one of url, urls'],
		[`{name: a, url: "http://h", ${TOPICS}}`, 'must be the URL of a broker'],
		[
			`{name: a, url: "mqtt://h:99999", ${TOPICS}}`,
			'must be a URL such as mqtts://broker.example:8883, with a port up to 65535',
		],
		[`{name: a, urls: ["mqtt://h", "mqtt://h:port"], ${TOPICS}}`, 'bridges.0.urls.1 must be a URL such as'],
		[`{name: a, url: "mqtt://u:p@h", ${TOPICS}}`, 'must not contain user and password'],
		[`{name: a b, url: "mqtt://h", ${TOPICS}}`, 'must be 1..64 of'],
		[
			`{name: a, url: "mqtt://h", password: x, tokenFile: y, ${TOPICS}}`,
			'must have at most one of password, tokenFile',
		],
		[`{name: a, url: "mqtt://h", start: scheduled, ${TOPICS}}`, 'must have schedule'],
		[`{name: a, url: "mqtt://h", lazy: {messages: 3}, ${TOPICS}}`, 'is only for start: lazy'],
		[`{name: a, url: "mqtts://h", tls: {cert: x}, ${TOPICS}}`, 'must have cert and key together'],
		['{name: a, url: "mqtt://h", topics: []}', 'topics'],
		['{name: a, url: "mqtt://h", topics: [{pattern: "a/#/b"}]}', 'must have # only at its end'],
		['{name: a, url: "mqtt://h", topics: [{pattern: "a", localPrefix: "x/#"}]}', 'must not contain + or #'],
		[
			'{name: a, url: "mqtt://h", topics: [{localPrefix: "x"}]}',
			'must have a pattern, or both localPrefix and remotePrefix',
		],
		[
			'{name: a, url: "mqtt://h", topics: [{pattern: "a/+", direction: in}, {pattern: "+/b", direction: both}]}',
			'partly overlaps topics.0',
		],
	])('are refused with place and reason: %s', (bridge, message) => {
		expect(() => parse(bridge)).toThrow(message);
		expect(() => parse(bridge)).toThrow(/^gateway\.yaml:\d+:\d+: /);
	});

	it('must have different names', () => {
		const one = `{name: a, url: "mqtt://h", ${TOPICS}}`;
		expect(() => parseGatewayFile('gateway.yaml', `bridges:\n  - ${one}\n  - ${one}\n`)).toThrow(
			'gateway.yaml:3:12: bridges.1.name is already the name of another bridge',
		);
	});
});
