import type { IConnectPacket, Packet } from 'mqtt-packet';

/** What a bridge states about itself in its CONNECT. */
export interface ConnectOptions {
	clientId: string;
	clean: boolean;
	sessionExpiryMs: number;
	keepAliveMs: number;
	username: string | undefined;
	password: string | undefined;
	protocol: 4 | 5;
	/** Whether to set the highest bit of the protocol level (3.1.1), by which brokers such as Mosquitto know bridges. */
	bridgeBit: boolean;
	maxPacketSize: number;
	will: { topic: string; payload: string } | undefined;
}

/** Messages of QoS 1 and 2 that the remote may send before they are acknowledged (MQTT 5 section 3.1.2.11.3). */
const RECEIVE_MAXIMUM = 200;
/** The keep alive has two bytes (MQTT 3.1.1 section 3.1.2.10). */
const MAX_KEEP_ALIVE_S = 65_535;

/** The CONNECT of a bridge. */
export function connectPacket(options: ConnectOptions): Packet {
	const packet: IConnectPacket & { bridgeMode?: boolean } = {
		cmd: 'connect',
		protocolId: 'MQTT',
		protocolVersion: options.protocol,
		clientId: options.clientId,
		clean: options.clean,
		keepalive: Math.min(Math.ceil(options.keepAliveMs / 1000), MAX_KEEP_ALIVE_S),
		...(options.username !== undefined && { username: options.username }),
		...(options.password !== undefined && { password: Buffer.from(options.password) }),
		...(options.will && { will: { ...options.will, qos: 1, retain: true } }),
		...(options.protocol === 4 && options.bridgeBit && { bridgeMode: true }),
		...(options.protocol === 5 && {
			properties: {
				receiveMaximum: RECEIVE_MAXIMUM,
				maximumPacketSize: options.maxPacketSize,
				...(!options.clean && {
					sessionExpiryInterval: Math.min(Math.ceil(options.sessionExpiryMs / 1000), 0xffffffff),
				}),
			},
		}),
	};
	return packet;
}
