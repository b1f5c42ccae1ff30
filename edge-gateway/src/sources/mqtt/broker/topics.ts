/** Finds what a topic means to the gateway. */
import { PLACE_ID, SENSOR_ID, TOPICS, tenantOf } from '@crowdvision/contracts';
import type { DecodeBy } from '../../../decode/decoders.ts';
import type { FrameContext } from '../../../decode/message/candidate.ts';
import { sensorIdFrom } from '../../../decode/vendor/sensor-id.ts';
import { isForeign, isOfEarlierBuilding, type Sender } from '../../../normalize/identify.ts';
import type { Registry } from '../../../registry.ts';

const place = new RegExp(PLACE_ID);
const sensor = new RegExp(SENSOR_ID);

/** The meaning of a topic that a device publishes to. */
export type Publication =
	| { kind: 'telemetry'; context: FrameContext; decodeBy?: DecodeBy | undefined }
	| { kind: 'status'; sensorId: string }
	| { kind: 'result'; sensorId: string }
	| { kind: 'unknown' };

/** First topic levels that the gateway itself uses. */
const RESERVED_LEVELS = new Set<string>([...Object.values(TOPICS), 'bridge']);
const UNKNOWN: Publication = { kind: 'unknown' };

/**
 * Finds the meaning of a topic: `telemetry/{buildingId}/{roomId}/{sensorId}[/{metric}]`, `status/{sensorId}`,
 * `command/{sensorId}/result`, or a topic that a decoder is configured for (`decodeBy`).
 */
export function publicationOf(topic: string, decodeBy?: DecodeBy): Publication {
	const levels = topic.split('/');
	if (levels[0] === TOPICS.status && levels.length === 2 && sensor.test(levels[1]!))
		return { kind: 'status', sensorId: levels[1]! };
	if (levels[0] === TOPICS.command && levels.length === 3 && levels[2] === 'result' && sensor.test(levels[1]!)) {
		return { kind: 'result', sensorId: levels[1]! };
	}
	const context = contextOf(levels);
	if (decodeBy) return { kind: 'telemetry', context: context ?? {}, decodeBy };
	return context ? { kind: 'telemetry', context } : UNKNOWN;
}

function contextOf(levels: string[]): FrameContext | undefined {
	if (levels[0] !== TOPICS.telemetry || (levels.length !== 4 && levels.length !== 5)) return undefined;
	const [, buildingId, roomId, sensorId, metric] = levels as [string, string, string, string, string?];
	if (!place.test(buildingId) || !place.test(roomId) || !sensor.test(sensorId)) return undefined;
	return metric === undefined ? { buildingId, roomId, sensorId } : { buildingId, roomId, sensorId, metric };
}

/** Whether a topic has no meaning to the gateway itself, so that messages on it may go to taps such as a bridge. */
export function isForeignTopic(topic: string): boolean {
	const [first] = topic.split('/', 1) as [string];
	return !first.startsWith('$') && !RESERVED_LEVELS.has(first);
}

/**
 * Whether a sender may publish and subscribe as this sensor: one in its token's list, or without a list, the sensor
 * that has the device's own id.
 */
export function isOwn(sender: Sender, sensorId: string): boolean {
	return sender.sensorIds ? sender.sensorIds.has(sensorId) : sensorId === sender.id;
}

/**
 * Whether a device may subscribe to `filter`, in the device's own words. Allowed are, for its own sensors,
 * `command/{sensorId}`, `status/{sensorId}` and `telemetry/+/+/{sensorId}` with what is below; and the state of
 * bridges, unless the gateway has sensors of several domains.
 */
export function maySubscribe(sender: Sender, filter: string, registry: Registry): boolean {
	const levels = filter.split('/');
	const own = (sensorId: string | undefined) =>
		sensorId !== undefined &&
		!isForeign(sender.domainName, sensorId, registry) &&
		(isOwn(sender, sensorId) ||
			(!sender.sensorIds &&
				sender.buildingId !== undefined &&
				registry.sensor(sensorId, sender)?.buildingId === sender.buildingId &&
				!isOfEarlierBuilding(sender, registry)));
	/** Whether readings of a building, or of all, may be for the sender: another tenant may have a sensor of this id. */
	const isOfTenant = (buildingId: string) =>
		buildingId === '+' ||
		sender.domainName === undefined ||
		registry.isOfTenant(buildingId, tenantOf(sender.domainName));
	if ((levels[0] === TOPICS.command || levels[0] === TOPICS.status) && levels.length === 2) return own(levels[1]);
	if (levels[0] === 'bridge' && levels.length === 3) return levels[2] === 'state' && !registry.isShared;
	return (
		levels[0] === TOPICS.telemetry &&
		(levels.length === 4 || levels.length === 5) &&
		own(levels[3]) &&
		!levels.slice(0, 3).includes('#') &&
		isOfTenant(levels[1]!)
	);
}

const SPARKPLUG_COMMAND = /^spBv1\.0\/([^/+#]+)\/[ND]CMD\/([^/+#]+)(?:\/.*)?$/;

/**
 * Whether a Sparkplug edge node may subscribe to its commands (`filter`): the token's sensors must be named
 * `{group}.{edge node}`, or begin with that and a dot.
 */
export function maySubscribeSparkplug(sender: Sender, filter: string): boolean {
	const [, group, node] = SPARKPLUG_COMMAND.exec(filter) ?? [];
	if (group === undefined || node === undefined) return false;
	const owner = sensorIdFrom(group, node);
	return !sender.sensorIds || [...sender.sensorIds].some((id) => id === owner || id.startsWith(`${owner}.`));
}
