import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseGatewayFile } from '../configuration/gateway-file.ts';
import { CONTENT_TYPES, FORMATS } from './format-table.ts';
import { SHELLY } from './formats/shelly.ts';
import { TASMOTA_ZIGBEE } from './formats/tasmota.ts';
import { NORMALIZED_AIR } from './formats/the-things-stack.ts';
import { ZIGBEE2MQTT } from './formats/zigbee2mqtt.ts';
import { CAYENNE_LPP, CHIRPSTACK_LPP } from './lorawan/cayenne-lpp.ts';
import { LORAWAN } from './lorawan/payload.ts';
import { NO_READING } from './message/decoder.ts';
import { MILESIGHT_LINE, MILESIGHT_ROOM } from './people-counters/milesight-push.ts';
import { VIVOTEK } from './people-counters/vivotek.ts';
import { XOVIS_LINE, XOVIS_ZONE } from './people-counters/xovis.ts';

const page = readFileSync(new URL('../../../docs/decoders.md', import.meta.url), 'utf8');
/** The list item of the page that describes one format. */
const sectionOf = (format: string) => page.slice(page.indexOf(`- \`${format}\`:`)).split(/\n- |\n## /, 2)[0]!;

describe('docs/decoders.md', () => {
	it('lists exactly the formats that exist', () => {
		const rows = Object.entries(FORMATS).map(
			([use, format]) => `| \`${use}\` | ${format.description} | ${'topic' in format ? `\`${format.topic}\` |` : '|'}`,
		);
		expect(page.split('\n').filter((line) => line.startsWith('| `') && !line.startsWith('| `use`'))).toEqual(rows);
	});

	it('shows rules that the gateway accepts', () => {
		const examples = [...page.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, text]) => text!);
		const files = examples.map((text) => parseGatewayFile('decoders.md', text));
		expect(files.map(({ decoders = [], metrics = [] }) => [decoders.length, metrics.length])).toEqual([
			[3, 0],
			[1, 2],
			[1, 0],
		]);
	});

	it.each<[string, string[]]>([
		['zigbee2mqtt', Object.keys(ZIGBEE2MQTT)],
		['tasmota', Object.keys(TASMOTA_ZIGBEE)],
		['shelly', Object.entries(SHELLY).flatMap(([type, table]) => [type, ...Object.keys(table)])],
		['the-things-stack', Object.keys(NORMALIZED_AIR)],
	])('names every key of %s that the decoder reads', (format, keys) => {
		for (const key of keys) expect(sectionOf(format)).toContain(`\`${key}\``);
	});

	it('names every key of CayenneLPP and of the push of people counters', () => {
		const names = Object.keys(CHIRPSTACK_LPP).filter((key) => CHIRPSTACK_LPP[key]! in CAYENNE_LPP);
		const counters = [XOVIS_LINE, XOVIS_ZONE, MILESIGHT_LINE, MILESIGHT_ROOM, VIVOTEK].flatMap(Object.keys);
		for (const key of [...names, ...counters]) expect(page).toContain(`\`${key}\``);
		for (const key of Object.keys(CAYENNE_LPP)) expect(page).toContain(`\`${key}_3\``);
	});

	it('names every key of LoRaWAN payloads, every reason for no reading and every content type', () => {
		for (const word of [...Object.keys(LORAWAN), ...Object.keys(NO_READING), ...Object.keys(CONTENT_TYPES)])
			expect(page).toContain(`\`${word}\``);
	});
});
