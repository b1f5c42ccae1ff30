import type { PacketLimits } from '../packets/packet-guard.ts';

/** Limits of the MQTT listener. Sizes in bytes, times in ms. */
export interface MqttLimits {
	packet: PacketLimits;
	/** From the connection's start to a complete CONNECT. */
	connectTimeoutMs: number;
	/** From the first byte of a packet to its last. */
	packetTimeoutMs: number;
	/** Unread data of one client above which it gets no messages of QoS 0. */
	dropQos0Above: number;
	/** Unread data of one client above which its connection ends. */
	maxUnread: number;
	/** Unread data of all clients above which the connections that are furthest behind end. */
	maxTotalUnread: number;
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
	dropQos0Above: 256 * KIB,
	// Leaves room for a message of the largest size (1 MiB) above `dropQos0Above`.
	maxUnread: 2048 * KIB,
	maxTotalUnread: 64 * 1024 * KIB,
	connections: 5000,
	connectionsPerAddress: 1000,
	// A device with many sensors subscribes to the commands for each.
	filtersPerDevice: 1000,
};
