/** What the load generator is to do; its first argument is the path of a file with this as JSON. */
export interface Job {
	protocol: 'mqtt' | 'http';
	host: string;
	port: number;
	/** For MQTT. */
	qos: 0 | 1;
	/** For HTTP: readings per request. */
	batch: number;
	connections: number;
	/** The most unacknowledged messages per connection. */
	window: number;
	/** Whether payloads are mixed as real devices mix them; see SHAPES. Only for MQTT. */
	mixed?: boolean;
	warmUpSeconds: number;
	seconds: number;
	/** From so many seconds after its start on, acknowledgements also count for `steady`. */
	steadyAfterSeconds: number;
	/** Messages per second over all connections; absent: as fast as they are acknowledged. */
	rate?: number;
	/** QoS of a subscriber to all readings on its own connection; absent: no subscriber. */
	subscriber?: 0 | 1;
	/** One per connection. The device's id is also the id of its sensor. */
	devices: { id: string; token: string }[];
}

/** The result, in the last line that the load generator prints. Times in ms. */
export interface LoadResult {
	/** Readings acknowledged (QoS 0: read by the other side) per second between BEGIN and END. */
	perSecond: number;
	/** Readings acknowledged in that time. */
	counted: number;
	/** Time from sending to acknowledgement; absent for QoS 0. */
	ack?: { p50: number; p99: number; max: number };
	/** As `ack`, from `steadyAfterSeconds` on; absent if the run ended before. */
	steady?: { p50: number; p99: number; max: number };
	/** By sensor, how many readings were sent; their sequence numbers start at FIRST_SEQ. */
	sent: Record<string, number>;
	/** By sensor, the sequence numbers that were never acknowledged; sensors without any are left out. */
	unacknowledged: Record<string, number[]>;
	/** Readings that were refused: HTTP answers other than 202. */
	refused: number;
	/** What the subscriber received; absent without a subscriber. */
	subscriber?: { received: number; missing: number; duplicates: number };
	/** Share of a core that the generator itself used between BEGIN and END. */
	generatorCpu: number;
}

/** The lines with which it reports its progress. */
export const BEGIN = 'measure-begin';
export const END = 'measure-end';
export const RESULT = 'result ';
