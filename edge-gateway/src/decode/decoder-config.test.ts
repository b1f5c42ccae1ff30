import { SettingsError } from '@crowdvision/service-kit';
import { describe, expect, it } from 'vitest';
import { parseGatewayFile } from '../configuration/gateway-file.ts';

/** The lines of the error that a gateway.yaml is refused with. */
function mistakes(source: string): string[] {
	try {
		parseGatewayFile('gateway.yaml', source);
	} catch (error) {
		if (error instanceof SettingsError) return error.message.split('\n');
		throw error;
	}
	throw new Error('the file was accepted');
}

describe('decoders in gateway.yaml', () => {
	it('are accepted for every format, by topic or by content type', () => {
		const { decoders } = parseGatewayFile(
			'gateway.yaml',
			`
decoders:
  - {topic: "zigbee2mqtt/+", use: zigbee2mqtt}
  - {topic: "acme/+/uplink", use: jsonata, mapping: '{"sensorId": id, "metric": "peopleCount", "value": n}'}
  - {topic: "spBv1.0/#", use: sparkplug-b, defaults: {buildingId: hq, roomId: hall}}
  - contentType: application/vnd.acme+json
    use: jsonata
    mapping: |
      $merge([
        {"sensorId": id}
      ])
    defaults: {sensorId: s-1}
`,
		);
		expect(decoders).toHaveLength(4);
	});

	it.each<[string, string, RegExp]>([
		[
			'an unknown format',
			'{topic: a, use: zigbee}',
			/^gateway\.yaml:2:21: decoders\.0\.use must be one of canonical, cbor, senml, sparkplug-b, /,
		],
		[
			'neither topic nor content type',
			'{use: senml}',
			/^gateway\.yaml:2:5: decoders\.0 must have one of topic, path and contentType$/,
		],
		[
			'both',
			'{topic: a, contentType: a/b, use: senml}',
			/^gateway\.yaml:2:5: decoders\.0 must have one of topic, path and contentType$/,
		],
		[
			'# in the middle of a topic',
			'{topic: "a/#/b", use: senml}',
			/^gateway\.yaml:2:13: decoders\.0\.topic must have # only at its end$/,
		],
		[
			'a wildcard in a level',
			'{topic: "a+/b", use: senml}',
			/^gateway\.yaml:2:13: decoders\.0\.topic must not have a wildcard inside the level "a\+"/,
		],
		[
			'a reserved topic',
			'{topic: "status/+", use: senml}',
			/^gateway\.yaml:2:13: decoders\.0\.topic must not begin with status\/, which is reserved$/,
		],
		[
			'a content type with a parameter',
			'{contentType: "a/b; c=d", use: senml}',
			/^gateway\.yaml:2:19: decoders\.0\.contentType must be a content type of POST \/ingest/,
		],
		[
			'jsonata without a mapping',
			'{topic: a, use: jsonata}',
			/^gateway\.yaml:2:5: decoders\.0\.mapping is required with use: jsonata$/,
		],
		[
			'a mapping for another format',
			"{topic: a, use: senml, mapping: 'x'}",
			/^gateway\.yaml:2:37: decoders\.0\.mapping is only allowed with use: jsonata$/,
		],
		[
			'an invalid room id',
			'{topic: a, use: senml, defaults: {roomId: "a/b"}}',
			/^gateway\.yaml:2:47: decoders\.0\.defaults\.roomId must be /,
		],
		[
			'a path with a slash',
			'{path: a/b, use: senml}',
			/^gateway\.yaml:2:12: decoders\.0\.path must be name of a way in of its own/,
		],
		['a path beside a topic', '{path: a, topic: b, use: senml}', /must have one of topic, path and contentType$/],
		[
			'rename for a format without vendor keys',
			'{topic: a, use: canonical, rename: {x: {metric: co2}}}',
			/^gateway\.yaml:2:40: decoders\.0\.rename is only allowed with use: senml, sparkplug-b, zigbee2mqtt, tasmota/,
		],
		[
			'a renamed key without a metric',
			'{topic: a, use: tasmota, rename: {x: {scale: 2}}}',
			/decoders\.0\.rename\.x\.metric is required/,
		],
		[
			'an unknown key',
			'{topic: a, use: senml, map: x}',
			/^gateway\.yaml:2:28: decoders\.0\.map is not known here; known are topic, contentType, path, use, mapping/,
		],
	])('are refused for %s', (_what, rule, expected) => {
		expect(mistakes(`decoders:\n  - ${rule}\n`)[0]).toMatch(expected);
	});

	it.each([
		['topic: "acme/+/up"', 'topic'],
		['topic: "Ku\u0308che/#"', 'topic'],
		['path: acme', 'path'],
		['contentType: application/vnd.acme+json', 'contentType'],
	])('P14 are refused for a second rule of one %s, which would never be used', (matcher, key) => {
		const rule = `  - {${matcher}, use: senml}\n`;
		const other = `  - {${matcher.normalize('NFC')}, use: cbor}\n`;
		const [mistake] = mistakes(`decoders:\n${rule}  - {topic: between, use: senml}\n${other}`);
		expect(mistake).toContain(`gateway.yaml:4:`);
		expect(mistake).toContain(`decoders.2.${key} is that of decoders.0 already, so this rule would never be used`);
	});

	it('are accepted for a topic and a path of one name, and for topics of which one covers the other', () => {
		const rules = ['topic: "acme/a"', 'path: acme', 'topic: "acme/+"', 'topic: "acme/#"'];
		const source = `decoders:\n${rules.map((one) => `  - {${one}, use: senml}\n`).join('')}`;
		expect(parseGatewayFile('gateway.yaml', source).decoders).toHaveLength(4);
	});

	/** `source` without its `@`, which marks the mistake, and the expected beginning of the message: line and column. */
	const marked = (source: string) => {
		const before = source.slice(0, source.indexOf('@')).split('\n');
		return { source: source.replace('@', ''), place: `gateway.yaml:${before.length}:${before.at(-1)!.length + 1}: ` };
	};

	it.each<[string, string]>([
		['in single quotes', `decoders:\n  - {topic: a, use: jsonata, mapping: '{"value": n +@}'}\n`],
		[
			'in single quotes with one doubled',
			`decoders:\n  - {topic: a, use: jsonata, mapping: '{"value": ''x'' & n +@}'}\n`,
		],
		['in double quotes', 'decoders:\n  - {topic: a, use: jsonata, mapping: "{\\"value\\": n +@}"}\n'],
		[
			'in double quotes over two lines',
			'decoders:\n  - {topic: a, use: jsonata, mapping: "{\\"value\\":\\n n\n      +@}"}\n',
		],
		['plain', 'decoders:\n  - topic: a\n    use: jsonata\n    mapping: a + b +@)\n'],
		['as a block', 'decoders:\n  - topic: a\n    use: jsonata\n    mapping: |\n      {\n        "value": n +@}\n'],
		[
			'as a folded block',
			'decoders:\n  - topic: a\n    use: jsonata\n    mapping: >-\n      {\n      "value":\n      n +@}\n',
		],
	])('are refused for a mistake in a mapping %s, with its line and column', (_how, spelled) => {
		const { source, place } = marked(spelled);
		const [line] = mistakes(source);
		expect(line).toContain(place);
		expect(line).toMatch(/: decoders\.0\.mapping is not valid JSONata: /);
	});

	it('are refused for a mapping that ends too early, with the place where it ends', () => {
		expect(mistakes('decoders:\n  - {topic: a, use: jsonata, mapping: \'{"value": n\'}\n')[0]).toMatch(
			/^gateway\.yaml:2:51: decoders\.0\.mapping is not valid JSONata: Expected "}" before end of expression$/,
		);
	});
});
