/** Topics on which products say other things than readings: state by attribute, housekeeping, logs, commands. */
import { matchesFilter } from '../topics/topic-filter.ts';

/** The first wildcard of a filter stands for the device. */
const deviceAt = (levels: readonly string[]) => levels.findIndex((level) => level === '+' || level === '#');
const isLiteral = (level: string) => level !== '+' && level !== '#';
const literals = (levels: readonly string[]) =>
	levels.slice(
		0,
		levels.findIndex((level) => !isLiteral(level)),
	);

/** Where products announce themselves to Home Assistant. */
const ANNOUNCEMENTS = ['homeassistant/+/+/config', 'homeassistant/+/+/+/config'];

interface Product {
	/** Whether a rule with this format and filter is for the product. */
	is(use: string, levels: readonly string[]): boolean;
	/** Filters of the topics beside those of the rule. */
	beside(levels: readonly string[]): string[];
}

const below = (levels: readonly string[], names: readonly string[]) =>
	levels.length === 0 ? [] : names.map((name) => [...levels, name, '#'].join('/'));

/** Filters of the topics that begin as the rule's do, up to the device. */
function besideDevice(levels: readonly string[], names: readonly string[]): string[] {
	const device = deviceAt(levels);
	return below(device === -1 ? levels.slice(0, 1) : levels.slice(0, device + 1), names);
}

const PRODUCTS: readonly Product[] = [
	{
		// `{base}/{name}/{attribute}` with `output: attribute_and_json`, `{base}/bridge/…`, `…/availability`, `…/set`.
		is: (use, [first = '']) => use === 'zigbee2mqtt' || first.startsWith('zigbee2mqtt'),
		beside(levels) {
			const base = levels.every(isLiteral) ? levels.slice(0, -1) : literals(levels);
			return base.length === 0 ? [] : [`${base.join('/')}/+/+/#`, ...ANNOUNCEMENTS];
		},
	},
	{
		// `tele/{topic}/STATE`, `INFO1`, `LWT`, `stat/{topic}/RESULT`, `POWER`, `LOGGING`, `cmnd/…`, in any full topic.
		is: (use, levels) => use === 'tasmota' || levels.includes('tele'),
		beside(levels) {
			const ends = levels.at(-1) === '#' ? levels : [...levels.slice(0, -1), '#'];
			const known = levels.includes('tele') ? ['tele', 'stat', 'cmnd'] : [];
			const prefixes = known.map((prefix) => ends.map((level) => (level === 'tele' ? prefix : level)).join('/'));
			return [...prefixes, 'tasmota/discovery/#', ...ANNOUNCEMENTS];
		},
	},
	{
		// `{prefix}/online`, `debug/log`, `command`, `rpc`, `status/…`, `events/…`; the first generation below `shellies/`.
		is: (use, levels) => use === 'shelly' || levels[0] === 'shellies' || levels.slice(-2).join('/') === 'events/rpc',
		beside: (levels) => [
			...besideDevice(levels, ['online', 'debug', 'command', 'rpc', 'status', 'events', 'announce', 'info']),
			'shellies/#',
			...ANNOUNCEMENTS,
		],
	},
	{
		// ESPHome: `{prefix}/debug` with log lines, `status`, other components than sensors, `…/command`.
		is: (_use, levels) => levels.includes('sensor') && levels.at(-1) === 'state',
		beside: (levels) => [
			...below(levels.slice(0, levels.indexOf('sensor')), [
				...['debug', 'status', 'binary_sensor', 'text_sensor', 'switch', 'light', 'fan', 'cover', 'climate', 'button'],
				...['number', 'select', 'lock', 'ping'],
			]),
			'esphome/discover/#',
			...ANNOUNCEMENTS,
		],
	},
	{
		// `…/{device}/join`, `down/ack`, `service/data`, `location/solved`.
		is: (use, [first]) => use === 'the-things-stack' || first === 'v3',
		beside: (levels) => (levels.length < 2 ? [] : [[...levels.slice(0, -1), '#'].join('/')]),
	},
	{
		// `…/event/join`, `ack`, `log`, `location`, `command/down`; of its gateways `{region}/gateway/{id}/event/stats`.
		is: (use, [first]) => use === 'chirpstack' || first === 'application',
		beside(levels) {
			const event = levels.indexOf('event');
			return [...(event < 1 ? [] : [`${levels.slice(0, event).join('/')}/#`]), '+/gateway/#', 'gateway/#'];
		},
	},
];

/** Filters of the topics on which the product of a rule says other things than readings. */
export function sideFilters(use: string, filter: string): string[] {
	const levels = filter.split('/');
	return PRODUCTS.flatMap((product) => (product.is(use, levels) ? product.beside(levels) : []));
}

/** Whether a topic matches one of these filters. */
export function isSideTopic(filters: readonly string[], topic: string): boolean {
	return filters.some((filter) => matchesFilter(filter, topic));
}
