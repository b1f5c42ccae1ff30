import type { AedesPublishPacket, Subscription } from 'aedes';

/** A PUBLISH or PUBREL as the broker stores it and gets it back. */
export type StoredPacket = AedesPublishPacket & {
	messageId?: number | undefined;
	/** The device that a retained message is from or about; absent for the gateway's own. */
	device?: string | undefined;
};

/**
 * One change of the sessions and retained messages. The state in memory is all changes, applied in order; on disk each
 * change is a record of the journal, so the names in it must not change.
 */
export type Change =
	/** A retained message; an empty one removes it. */
	| { do: 'retain'; packet: StoredPacket }
	| { do: 'subscribe'; client: string; subs: Subscription[] }
	| { do: 'unsubscribe'; client: string; topics: string[] }
	/** A message that waits for the sessions of these clients. */
	| { do: 'enqueue'; clients: string[]; packet: StoredPacket }
	/** A waiting message got its packet identifier, or was replaced by its PUBREL (QoS 2). */
	| { do: 'update'; client: string; packet: StoredPacket }
	/** A waiting message is finished: named by its identifier, or by the broker's counter if it has none yet. */
	| { do: 'clear'; client: string; packet: Pick<StoredPacket, 'messageId' | 'brokerId' | 'brokerCounter'> }
	/** A message of QoS 2 was received from the client. */
	| { do: 'receive'; client: string; packet: StoredPacket }
	/** The client released such a message. */
	| { do: 'release'; client: string; messageId: number }
	| { do: 'release-all'; client: string }
	/** The client connected. */
	| { do: 'here'; client: string }
	/** The client disconnected, at this time in epoch ms. */
	| { do: 'away'; client: string; at: number }
	/** The session ended. */
	| { do: 'end'; client: string }
	/** The changes up to the matching `snapshot-end` replace everything before. */
	| { do: 'snapshot-begin' }
	| { do: 'snapshot-end' };

/** Encodes a change as JSON, with Buffers as `{"base64": …}`. */
export function encodeChange(change: Change): string {
	return JSON.stringify(change, function (this: unknown, key, value: unknown) {
		// `value` is what Buffer.toJSON returned, which would take four times the space.
		const raw = (this as Record<string, unknown>)[key];
		return Buffer.isBuffer(raw) ? { base64: raw.toString('base64') } : value;
	});
}

/** Decodes what `encodeChange` returned. */
export function decodeChange(record: Buffer): Change {
	return JSON.parse(record.toString('utf8'), (_key, value: unknown) => {
		const { base64 } = (typeof value === 'object' && value !== null ? value : {}) as { base64?: unknown };
		return typeof base64 === 'string' ? Buffer.from(base64, 'base64') : value;
	}) as Change;
}
