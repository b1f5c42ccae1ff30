import { describe, expect, it } from 'vitest';
import { type GatewayConfig, gatewayConfigOf } from './gateway-config.ts';
import { touchedBy } from './touched.ts';
import { type Health, Trial } from './trial.ts';

const config = (text: string): GatewayConfig => gatewayConfigOf({}, text);
const rule = (topic: string) => `decoders: [{topic: "${topic}", use: tasmota}]\n`;
const bridge = (name: string, prefix = '') =>
	`{name: ${name}, url: "mqtt://h", topics: [{pattern: "x/#", direction: out, remotePrefix: "${prefix}/"}]}`;

describe('P13 what a change of gateway.yaml touches', () => {
	it.each<[string, string, string, boolean, string[]]>([
		['nothing', 'recorder: {frames: 10}', 'recorder: {frames: 20}', false, []],
		['a rule that is added', '', rule('tele/+/SENSOR'), false, ['decoder tele/+/SENSOR']],
		['a rule that another replaces', rule('a/b'), rule('c/d'), false, ['decoder a/b', 'decoder c/d']],
		['the ports', '', 'sources: {serial: [{path: /dev/ttyUSB0}]}', false, ['serial']],
		[
			'one bridge of two',
			`bridges: [${bridge('a')}, ${bridge('b')}]`,
			`bridges: [${bridge('a')}, ${bridge('b', 'p')}]`,
			false,
			['bridge b'],
		],
		['all that comes in: lists of devices', '', 'devices: {deny: ["x*"]}', true, []],
		['all that comes in: limits', '', 'limits: {messagesPerSecond: 5}', true, []],
		['Home Assistant only', '', 'homeAssistant: {enabled: true}', false, []],
	])('is %s', (_what, before, after, intake, parts) => {
		const touched = touchedBy(config(before), config(after));
		expect([touched.intake, [...touched.parts]]).toEqual([intake, parts]);
	});
});

/** Health after so many seconds, with these counts of one rule. */
function health(seconds: number, change: Partial<Health> & { taken?: number; lost?: number } = {}): Health {
	const { taken = 0, lost = 0, ...rest } = change;
	return {
		troubles: new Map(),
		received: seconds * 10,
		rejected: lost,
		imbalance: 0,
		parts: new Map([['decoder acme/+', { taken, lost }]]),
		...rest,
	};
}

function verdict(parts: string[], since: (second: number) => Health): string | undefined {
	const before = Array.from({ length: 60 }, (_, second) => health(second, { taken: second }));
	const trial = new Trial(before, { observations: 30, touched: { intake: false, parts: new Set(parts) } });
	for (let second = 60; second < 90; second++) {
		const found = trial.observe(since(second));
		if (found !== undefined) return found === 'passed' ? found : found.reason;
	}
	return undefined;
}

describe('P13 the trial of a configuration judges what the change touches', () => {
	const broken = (second: number) => health(second, { taken: 59, lost: second - 60 });

	it('fails for a rule that loses what it took before, however much comes in otherwise', () => {
		const reason = '100 % of the readings of the rule acme/+ are refused, before it was 0 %';
		expect(verdict(['decoder acme/+'], (second) => ({ ...broken(second), received: second * 100_000 }))).toBe(reason);
		expect(verdict(['decoder other/+', 'bridge campus'], broken)).toBe('passed');
	});

	it('passes while a bridge, a port or devices that it does not concern have trouble or fall silent', () => {
		const away = new Map([['bridge campus', 'connecting']]);
		expect(verdict(['decoder acme/+'], (second) => health(second, { troubles: away }))).toBe('passed');
		expect(verdict(['bridge campus'], (second) => health(second, { troubles: away }))).toMatch(/^bridge campus worked/);
		expect(verdict(['decoder acme/+'], () => health(59))).toBe('passed');
		const silent = (second: number) => health(second, { serialReceived: 0 });
		expect(verdict(['serial'], silent)).toBe('passed');
	});

	it('fails for any change that makes the ledger lose count', () => {
		expect(verdict([], (second) => health(second, { imbalance: 2 }))).toMatch(/^the ledger no longer balances/);
	});
});
