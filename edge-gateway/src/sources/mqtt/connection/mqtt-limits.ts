import type { PacketLimits } from '../packets/packet-guard.ts';

/** What the MQTT listener allows, sizes in bytes and times in ms. */
export interface MqttLimits {
	packet: PacketLimits;
	/** From connecting to a complete CONNECT. */
	connectTimeoutMs: number;
	/** From the first byte of a packet to its last. */
	packetTimeoutMs: number;
	/**
	 * Of what waits for a client to read it: above the first it gets nothing more of QoS 0, above the second its
	 * connection ends.
	 */
	dropAbove: number;
	mostUnread: number;
	/** Of what waits for all clients together: above it those that are furthest behind are ended. */
	mostUnreadInAll: number;
	connections: number;
	connectionsPerAddress: number;
	/** Topic filters of one device, over all its connections. */
	filtersPerDevice: number;
}

const KIB = 1024;

export const MQTT_LIMITS: MqttLimits = {
	packet: { connect: 16 * KIB, publish: 1024 * KIB, other: 64 * KIB },
	connectTimeoutMs: 10_000,
	packetTimeoutMs: 60_000,
	dropAbove: 256 * KIB,
	// More than a message of the largest size on top of what is dropped from.
	mostUnread: 2048 * KIB,
	mostUnreadInAll: 64 * 1024 * KIB,
	connections: 5000,
	connectionsPerAddress: 1000,
	// A device that speaks for many sensors listens for commands to each.
	filtersPerDevice: 1000,
};
