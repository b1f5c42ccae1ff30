import { PLACE_ID, SENSOR_ID, TOPICS } from '@crowdvision/contracts';
import type { DecodeBy } from '../../../decode/decoders.ts';
import { sensorIdOf } from '../../../decode/formats/sensor-id.ts';
import type { FrameContext } from '../../../decode/message/candidate.ts';
import { isForeign, type Sender } from '../../../normalize/identify.ts';
import type { Registry } from '../../../registry.ts';

const place = new RegExp(PLACE_ID);
const sensor = new RegExp(SENSOR_ID);

/** What a topic that a device publishes to stands for. */
export type Publication =
	| { kind: 'telemetry'; context: FrameContext; decodeBy?: DecodeBy | undefined }
	| { kind: 'status'; sensorId: string }
	| { kind: 'result'; sensorId: string }
	| { kind: 'unknown' };

/** First levels that have a meaning here. */
const OURS = new Set<string>([...Object.values(TOPICS), 'bridge']);
const UNKNOWN: Publication = { kind: 'unknown' };

/**
 * `telemetry/{buildingId}/{roomId}/{sensorId}[/{metric}]`, `status/{sensorId}`, `command/{sensorId}/result`, or what a
 * decoder is configured for.
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

/** Whether a topic belongs to nobody here: what a device publishes there may go to who listens in, such as a bridge. */
export function isForOthers(topic: string): boolean {
	const [first] = topic.split('/', 1) as [string];
	return !first.startsWith('$') && !OURS.has(first);
}

/** Whether a sender may speak and listen as this sensor: one of its scope, else only the one named like itself. */
export function isOwn(sender: Sender, sensorId: string): boolean {
	return sender.sensorIds ? sender.sensorIds.has(sensorId) : sensorId === sender.id;
}

/**
 * Whether a device may subscribe to `filter`: `command/{own}`, `status/{own}`, `telemetry/+/+/{own}` and below; and how
 * the bridges are, where all devices are of one domain.
 */
export function maySubscribe(sender: Sender, filter: string, registry: Registry): boolean {
	const levels = filter.split('/');
	const own = (sensorId: string | undefined) =>
		sensorId !== undefined &&
		!isForeign(sender.domainName, sensorId, registry) &&
		(isOwn(sender, sensorId) ||
			(!sender.sensorIds &&
				sender.buildingId !== undefined &&
				registry.sensor(sensorId)?.buildingId === sender.buildingId));
	if ((levels[0] === TOPICS.command || levels[0] === TOPICS.status) && levels.length === 2) return own(levels[1]);
	if (levels[0] === 'bridge' && levels.length === 3) return levels[2] === 'state' && !registry.isShared;
	return (
		levels[0] === TOPICS.telemetry &&
		(levels.length === 4 || levels.length === 5) &&
		own(levels[3]) &&
		!levels.slice(0, 3).includes('#')
	);
}

const SPARKPLUG_COMMAND = /^spBv1\.0\/([^/+#]+)\/[ND]CMD\/([^/+#]+)(?:\/.*)?$/;

/**
 * Whether an edge node may hear the commands to it: its own sensors are named `{group}.{edge node}` and what follows.
 */
export function maySubscribeSparkplug(sender: Sender, filter: string): boolean {
	const [, group, node] = SPARKPLUG_COMMAND.exec(filter) ?? [];
	if (group === undefined || node === undefined) return false;
	const owner = sensorIdOf(`${group}.${node}`);
	return !sender.sensorIds || [...sender.sensorIds].some((id) => id === owner || id.startsWith(`${owner}.`));
}
