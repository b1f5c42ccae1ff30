/** Which parts of the gateway a change of gateway.yaml touches: only these are judged by its trial. */
import { isDeepStrictEqual } from 'node:util';
import { ruleName } from '../decode/decoder-config.ts';
import type { GatewayConfig } from './gateway-config.ts';

/** What a trial judges. */
export interface Touched {
	/** Everything that comes in may be concerned. */
	intake: boolean;
	/** Names of the parts in `Health`: `serial`, `decoder {rule}`, `bridge {name}`. */
	parts: ReadonlySet<string>;
}

/** Of a configuration that has no known predecessor. */
export const EVERYTHING: Touched = { intake: true, parts: new Set() };

/** Sections that decide what of all readings is taken. */
const INTAKE = [
	'metrics',
	'devices',
	'occupancy',
	'messagesPerSecond',
	'messagesPerSecondPerAddress',
	'mqttLimits',
] as const satisfies (keyof GatewayConfig)[];

/** What differs between two configurations. */
export function touchedBy(before: GatewayConfig, after: GatewayConfig): Touched {
	const parts = new Set<string>();
	if (!isDeepStrictEqual(before.serial, after.serial)) parts.add('serial');
	for (const rule of differing(before.decoders, after.decoders)) parts.add(`decoder ${ruleName(rule)}`);
	for (const { name } of differing(before.bridges, after.bridges)) parts.add(`bridge ${name}`);
	return { intake: INTAKE.some((section) => !isDeepStrictEqual(before[section], after[section])), parts };
}

/** The members of either list that the other does not have. */
function differing<T>(before: readonly T[], after: readonly T[]): T[] {
	const missingIn = (list: readonly T[]) => (one: T) => !list.some((other) => isDeepStrictEqual(one, other));
	return [...before.filter(missingIn(after)), ...after.filter(missingIn(before))];
}
