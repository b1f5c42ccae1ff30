/** Which part of the gateway applies which section of gateway.yaml while it runs. */
import { type FixedOptions, type LivePart, LiveParts } from '../configuration/live-parts.ts';
import type { OpenIntake } from './intake.ts';
import type { GatewayParts } from './parts.ts';
import type { Sources } from './sources.ts';
import type { Storage } from './storage.ts';
import type { Uplinks } from './uplinks.ts';

/** Options that only the next start reads. */
const READ_AT_START: FixedOptions = {
	gatewayId: ({ gatewayId }) => gatewayId,
	'sources.mqtt.port': ({ mqttPort }) => mqttPort,
	'sources.mqtt.tls': ({ mqttTls }) => mqttTls,
	'sources.mqtt.sessions': ({ sessions }) => sessions,
	log: ({ log }) => log,
	dedup: ({ dedup }) => dedup,
	clock: ({ clock }) => clock,
	downlink: ({ downlink }) => downlink,
	recorder: ({ recorder }) => recorder,
	'redis.url': ({ redisUrl }) => redisUrl,
};

/** Which part of the gateway applies which part of gateway.yaml while the gateway runs. */
export function livePartsOf(
	{ config }: GatewayParts,
	{ timeouts, rooms, metrics }: Storage,
	{ decoders, admission }: OpenIntake,
	{ bridges, homeAssistant }: Uplinks,
	{ serial, senderLimits, updateMqttLimits }: Sources,
): LiveParts {
	const parts: LivePart[] = [
		{
			of: ({ messagesPerSecond, messagesPerSecondPerAddress }) => ({ messagesPerSecond, messagesPerSecondPerAddress }),
			update: (next) => senderLimits.update(next),
		},
		{ of: (next) => next.mqttLimits, update: (next) => updateMqttLimits(next.mqttLimits) },
		{ of: (next) => next.bridges, update: (next) => bridges.update(next.bridges), readsFiles: true },
		{ of: (next) => next.serial, update: (next) => serial.update(next.serial) },
		{ of: (next) => next.metrics, update: (next) => metrics.update(next.metrics) },
		{ of: (next) => next.decoders, update: (next) => decoders.update(next.decoders) },
		{ of: (next) => next.devices, update: (next) => admission.update(next.devices) },
		{ of: (next) => next.devices.timeouts, update: (next) => timeouts.update(next.devices) },
		{ of: (next) => next.occupancy, update: (next) => rooms.update(next.occupancy) },
		{ of: (next) => next.homeAssistant, update: (next) => homeAssistant.update(next.homeAssistant) },
	];
	return new LiveParts(config, parts, READ_AT_START);
}
