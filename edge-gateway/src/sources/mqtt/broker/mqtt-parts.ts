/** What the MQTT source is made of. */
import type { IncomingMessage } from 'node:http';
import type { CommandAnswer } from '@crowdvision/contracts';
import type { Logger } from '@crowdvision/service-kit';
import type { Credentials } from '../../../access/credentials.ts';
import type { Decoders } from '../../../decode/decoders.ts';
import type { Availability } from '../../../devices/availability.ts';
import type { Devices } from '../../../devices/devices.ts';
import type { CommandChannels } from '../../../downlink/command-channels.ts';
import type { Intake } from '../../../intake/intake.ts';
import type { ReadingShapes } from '../../../intake/shapes/reading-shapes.ts';
import type { SenderLimits } from '../../../limits/sender-limits.ts';
import type { SignInThrottle } from '../../../limits/sign-in-throttle.ts';
import type { Sender } from '../../../normalize/identify.ts';
import type { Registry } from '../../../registry.ts';
import type { MqttLimits } from '../connection/limits.ts';
import type { SessionStore } from '../sessions/session-store.ts';
import type { LocalBroker } from './local-broker.ts';
import type { MqttTls } from './mqtt-config.ts';

/** What the MQTT source needs. */
export interface MqttParts {
	credentials: Credentials;
	/** Delays the answers to failed sign-ins; shared with the other ways in. */
	throttle: SignInThrottle;
	devices: Devices;
	availability: Availability;
	registry: Registry;
	decoders: Decoders;
	senderLimits: SenderLimits;
	/** Sessions and retained messages. Not closed by the source. */
	sessions: SessionStore;
	refuse: Intake['refuse'];
	ignore: Intake['ignore'];
	/** Takes readings that repeat others but for their numbers. */
	shapes: ReadingShapes;
	/** Where connected devices register to receive commands. */
	channels: CommandChannels;
	/** Takes a device's answer to a command; resolves when it is stored. */
	commands: { answered(from: { sensorId: string; domainName?: string }, answer: CommandAnswer): Promise<void> };
	/**
	 * A client that is no device, such as Home Assistant. `maySubscribe`: whether the sender is one and may subscribe to
	 * the filter. `mayPublish`: false for topics that only the guest may publish to, unless the sender is the guest.
	 */
	guest: { maySubscribe(sender: Sender, filter: string): boolean; mayPublish(sender: Sender, topic: string): boolean };
	/** For other parts of the gateway, which publish messages here and tap into those of clients. */
	local: LocalBroker;
	/** Epoch ms. */
	now(): number;
	logger: Logger;
	host: string;
	port: number;
	tls?: MqttTls | undefined;
	limits: MqttLimits;
	/** The client's address for a WebSocket that may have come through a proxy. */
	addressOf: (request: IncomingMessage) => string;
}
