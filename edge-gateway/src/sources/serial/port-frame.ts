/** Turns a value that arrived at a port into a frame for the intake. */
import type { Frame } from '../../frame.ts';
import type { Sender } from '../../normalize/identify.ts';
import type { SerialConfig } from './serial-config.ts';

/** The sender of readings from a port without tokens: the port itself, limited to the sensors in its configuration. */
export function senderOfPort(name: string, { defaults, sensorIds }: SerialConfig): Sender {
	const ids = sensorIds ?? (defaults?.sensorId === undefined ? undefined : [defaults.sensorId]);
	return { id: name, domainName: undefined, sensorIds: ids && new Set(ids), buildingId: defaults?.buildingId };
}

/** The frame for a value that arrived at a port; fields the device left out are filled from the port's `defaults`. */
export function portFrame(
	name: string,
	raw: Buffer,
	value: unknown,
	sender: Sender,
	{ defaults = {}, timeZone }: SerialConfig,
): Frame {
	const { sensorId, buildingId, roomId } = defaults;
	const parsed = withDefaults(value, { sensorId, buildingId, roomId });
	const context = timeZone === undefined ? {} : { timeZone };
	return { transport: 'serial', source: name, port: name, sender, context, raw, parsed };
}

/** Fills a reading, or each of an array. Arrays inside are not searched: the device could nest them without bound. */
function withDefaults(value: unknown, defaults: Record<string, string | undefined>): unknown {
	return Array.isArray(value) ? value.map((item) => mergedWith(item, defaults)) : mergedWith(value, defaults);
}

function mergedWith(value: unknown, defaults: Record<string, string | undefined>): unknown {
	if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
	const merged: Record<string, unknown> = { ...value };
	for (const [key, fallback] of Object.entries(defaults))
		if ((merged[key] ?? undefined) === undefined && fallback !== undefined) merged[key] = fallback;
	return merged;
}
