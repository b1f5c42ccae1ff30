import { TOPICS } from '@crowdvision/contracts';
import type { LogRecord } from '@crowdvision/log';
import type { LocalMessage } from '../../sources/mqtt/broker/local-broker.ts';
import type { BridgeSettings } from '../config/bridge-settings.ts';
import type { GuardedLink, LoopGuard } from '../loops/loop-guard.ts';
import type { DropReason } from './bridge-tally.ts';
import { PATH_PROPERTY } from './inbound.ts';
import type { Outgoing } from './outgoing.ts';
import { decodeRaw } from './raw-record.ts';

export interface OutboundParts {
	settings: BridgeSettings;
	link: GuardedLink;
	guard: LoopGuard;
	/** Called when a message is handed to the connection. */
	onSent: (localTopic: string, remoteTopic: string, payload: Buffer) => void;
}

/** Turns the records of the two logs into messages for the remote. */
export class Outbound {
	readonly #parts: OutboundParts;

	constructor(parts: OutboundParts) {
		this.#parts = parts;
	}

	/** The message for a canonical reading; undefined if the reading came by this bridge. */
	reading(record: LogRecord): Outgoing | DropReason | undefined {
		const { buildingId, roomId, sensorId, bridge } = JSON.parse(record.payload.toString()) as Record<
			string,
			string | undefined
		>;
		const { settings } = this.#parts;
		if (bridge === settings.name || buildingId === undefined) return undefined;
		return this.#message(
			{
				topic: `${TOPICS.telemetry}/${buildingId}/${roomId}/${sensorId}`,
				payload: record.payload,
				qos: 1,
				retain: false,
			},
			'readings',
		);
	}

	/** The message for a record of the raw log, which holds only local messages that `wants` has chosen. */
	raw(record: LogRecord): Outgoing | DropReason | undefined {
		const message = decodeRaw(record.payload);
		return message.origin === this.#parts.settings.name ? undefined : this.#message(message, 'raw');
	}

	/** Whether a local message belongs into the raw log. */
	wants(message: LocalMessage): boolean {
		return message.origin !== this.#parts.settings.name && this.wantsTopic(message.topic);
	}

	/** Whether local messages of a topic belong into the raw log: readings are sent from the log of readings. */
	wantsTopic(topic: string): boolean {
		const mapped = this.#parts.link.topics.toRemote(topic);
		return mapped !== undefined && this.#content(topic, mapped.rule) === 'raw';
	}

	#message(message: LocalMessage, content: 'readings' | 'raw'): Outgoing | DropReason | undefined {
		const { link, guard, settings, onSent } = this.#parts;
		const { topic, payload, retain, path = [] } = message;
		const mapped = link.topics.toRemote(topic);
		if (!mapped || this.#content(topic, mapped.rule) !== content) return undefined;
		if (guard.isOnStandby(link.name, mapped.rule)) return 'standby';
		const rule = link.topics.rules[mapped.rule]!;
		return {
			topic: mapped.topic,
			payload,
			qos: rule.qos,
			retain: retain && rule.keepRetain && settings.retain,
			userProperties: { [PATH_PROPERTY]: [...path, guard.id].join(' ') },
			onSent: () => onSent(topic, mapped.topic, payload),
		};
	}

	/**
	 * Which log the messages of a topic come from. Topics outside `telemetry/` are always raw, whatever the rule says.
	 */
	#content(topic: string, rule: number): 'readings' | 'raw' {
		return topic.startsWith(TELEMETRY) && this.#parts.link.topics.rules[rule]!.content === 'readings'
			? 'readings'
			: 'raw';
	}
}

const TELEMETRY = `${TOPICS.telemetry}/`;
