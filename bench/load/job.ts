/** What the load generator is told, as JSON in its first argument. */
export interface Job {
	protocol: 'mqtt' | 'http';
	host: string;
	port: number;
	/** For MQTT. */
	qos: 0 | 1;
	/** For HTTP: readings in a request. */
	batch: number;
	connections: number;
	/** Unacknowledged messages a connection may have. */
	window: number;
	warmUpSeconds: number;
	seconds: number;
	/** Messages a second over all connections; absent: as many as are acknowledged. */
	rate?: number;
	/** QoS of a subscriber to everything, on a connection of its own; absent: none. */
	subscriber?: 0 | 1;
	/** One for each connection. The device's id is also its sensor's. */
	devices: { id: string; token: string }[];
}

/** The last line it prints. Times in ms. */
export interface LoadResult {
	/** Readings acknowledged (QoS 0: read by the other side) a second, between `begin` and `end`. */
	perSecond: number;
	/** Readings in that time. */
	counted: number;
	/** Acknowledgements; absent for QoS 0. */
	ack?: { p50: number; p99: number; max: number };
	/** Of each sensor, all that was sent: sequence numbers from FIRST_SEQ on. */
	sent: Record<string, number>;
	/** Of each sensor, what was sent and never acknowledged. Empty where there is nothing. */
	unacknowledged: Record<string, number[]>;
	/** Readings that were refused: HTTP answers other than 202. */
	refused: number;
	/** What the subscriber got; absent where there is none. */
	subscriber?: { received: number; missing: number; duplicates: number };
	/** Share of a core that the generator itself used between `begin` and `end`. */
	generatorCpu: number;
}

/** The lines by which it says where it is. */
export const BEGIN = 'measure-begin';
export const END = 'measure-end';
export const RESULT = 'result ';
