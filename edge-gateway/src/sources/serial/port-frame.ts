import type { Frame } from '../../frame.ts';
import type { Sender } from '../../normalize/identify.ts';
import type { SerialConfig } from './serial-config.ts';

/** Who speaks at a port that asks for no token: the port itself, as far as its configuration goes. */
export function senderOfPort(name: string, { defaults, sensorIds }: SerialConfig): Sender {
	const ids = sensorIds ?? (defaults?.sensorId === undefined ? undefined : [defaults.sensorId]);
	return { id: name, domainName: undefined, sensorIds: ids && new Set(ids), buildingId: defaults?.buildingId };
}

/** What came at a port, with what its configuration says where it does not say so itself. */
export function portFrame(
	name: string,
	raw: Buffer,
	value: unknown,
	sender: Sender,
	{ defaults = {} }: SerialConfig,
): Frame {
	const { sensorId, buildingId, roomId } = defaults;
	const parsed = withDefaults(value, { sensorId, buildingId, roomId });
	return { transport: 'serial', source: name, port: name, sender, context: {}, raw, parsed };
}

/**
 * A reading with its port's defaults, or each of an array of them. Deeper down is no reading, and how deep is up to the
 * device.
 */
function withDefaults(value: unknown, defaults: Record<string, string | undefined>): unknown {
	return Array.isArray(value) ? value.map((item) => mergedWith(item, defaults)) : mergedWith(value, defaults);
}

function mergedWith(value: unknown, defaults: Record<string, string | undefined>): unknown {
	if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
	const merged: Record<string, unknown> = { ...value };
	for (const [key, told] of Object.entries(defaults))
		if (merged[key] === undefined && told !== undefined) merged[key] = told;
	return merged;
}
