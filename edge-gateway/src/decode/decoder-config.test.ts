import { SettingsError } from '@crowdvision/service-kit';
import { describe, expect, it } from 'vitest';
import { parseGatewayFile } from '../configuration/config.ts';

/** What a gateway.yaml is refused with, line by line. */
function mistakes(source: string): string[] {
	try {
		parseGatewayFile('gateway.yaml', source);
	} catch (error) {
		if (error instanceof SettingsError) return error.message.split('\n');
		throw error;
	}
	throw new Error('it was taken');
}

describe('decoders in gateway.yaml', () => {
	it('may be of every format, by topic or by content type', () => {
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
			/^gateway\.yaml:2:5: decoders\.0 must have one of topic, contentType$/,
		],
		[
			'both',
			'{topic: a, contentType: a/b, use: senml}',
			/^gateway\.yaml:2:5: decoders\.0 must have one of topic, contentType$/,
		],
		[
			'# in the middle',
			'{topic: "a/#/b", use: senml}',
			/^gateway\.yaml:2:13: decoders\.0\.topic has # elsewhere than at its end$/,
		],
		[
			'a wildcard in a level',
			'{topic: "a+/b", use: senml}',
			/^gateway\.yaml:2:13: decoders\.0\.topic has a wildcard inside the level "a\+"/,
		],
		[
			'a topic that means something else',
			'{topic: "status/+", use: senml}',
			/^gateway\.yaml:2:13: decoders\.0\.topic must not begin with status\/, which has a meaning/,
		],
		[
			'a content type with a parameter',
			'{contentType: "a/b; c=d", use: senml}',
			/^gateway\.yaml:2:19: decoders\.0\.contentType must be a content type of POST \/ingest/,
		],
		[
			'jsonata without a mapping',
			'{topic: a, use: jsonata}',
			/^gateway\.yaml:2:5: decoders\.0\.mapping is required, as use is jsonata$/,
		],
		[
			'a mapping for another format',
			"{topic: a, use: senml, mapping: 'x'}",
			/^gateway\.yaml:2:37: decoders\.0\.mapping is only for use: jsonata$/,
		],
		[
			'a room that is none',
			'{topic: a, use: senml, defaults: {roomId: "a/b"}}',
			/^gateway\.yaml:2:47: decoders\.0\.defaults\.roomId must be /,
		],
		[
			'an unknown key',
			'{topic: a, use: senml, map: x}',
			/^gateway\.yaml:2:28: decoders\.0\.map is not known here; known are topic, contentType, use, mapping, defaults$/,
		],
	])('are refused for %s', (_what, rule, expected) => {
		expect(mistakes(`decoders:\n  - ${rule}\n`)[0]).toMatch(expected);
	});

	/** `@` stands where the mistake is; it is taken out, and the line and column it stood at are expected. */
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
	])('with a mistake in a mapping %s name its line and column', (_how, spelled) => {
		const { source, place } = marked(spelled);
		const [line] = mistakes(source);
		expect(line).toContain(place);
		expect(line).toMatch(/: decoders\.0\.mapping is not JSONata: /);
	});

	it('with a mapping that ends too early name its end', () => {
		expect(mistakes('decoders:\n  - {topic: a, use: jsonata, mapping: \'{"value": n\'}\n')[0]).toMatch(
			/^gateway\.yaml:2:51: decoders\.0\.mapping is not JSONata: Expected "}" before end of expression$/,
		);
	});
});
