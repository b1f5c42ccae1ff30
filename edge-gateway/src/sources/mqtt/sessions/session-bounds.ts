const MIB = 1024 * 1024;

/** Bounds of what is stored for MQTT clients that are away. Sizes in bytes. */
export interface SessionBounds {
	/** A session ends when its client has been away for this long. */
	expireAfterMs: number;
	/** Waiting messages of one session. */
	messages: number;
	/** Waiting messages of one session, topics and payloads. */
	bytes: number;
	/** Waiting messages of all sessions: topics, payloads, and MESSAGE_COST for each message. */
	totalBytes: number;
	sessions: number;
	sessionsPerDevice: number;
	/** Retained messages. */
	retained: number;
	/** Retained messages of one device: the rest is for the others. */
	retainedPerDevice: number;
	/** Retained messages, topics and payloads. */
	retainedBytes: number;
	/** Topic and payload of one message. */
	largestMessage: number;
}

/**
 * Bytes of memory that a waiting message takes besides its topic and payload, as measured. Without it, many small
 * messages could take ten times their bound.
 */
export const MESSAGE_COST = 400;

export const SESSION_BOUNDS: SessionBounds = {
	expireAfterMs: 7 * 24 * 3600_000,
	messages: 1000,
	bytes: MIB,
	totalBytes: 64 * MIB,
	sessions: 10_000,
	sessionsPerDevice: 32,
	retained: 10_000,
	retainedPerDevice: 1000,
	retainedBytes: 16 * MIB,
	largestMessage: 256 * 1024,
};
