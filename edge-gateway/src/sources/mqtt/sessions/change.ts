import type { AedesPublishPacket, Subscription } from 'aedes';

/** A message or release as the broker hands it over and gets it back. */
export type KeptPacket = AedesPublishPacket & { messageId?: number | undefined };

/**
 * One change of what the broker keeps: what is in memory is these, applied in order; what is on disk is these, one a
 * record.
 */
export type Change =
	/** A retained message; an empty one removes it. */
	| { do: 'retain'; packet: KeptPacket }
	| { do: 'subscribe'; client: string; subs: Subscription[] }
	| { do: 'unsubscribe'; client: string; topics: string[] }
	/** A message to wait for the sessions of these clients. */
	| { do: 'enqueue'; clients: string[]; packet: KeptPacket }
	/** A waiting message was given its identifier, or became a release (QoS 2). */
	| { do: 'update'; client: string; packet: KeptPacket }
	/** A waiting message is done with: by identifier, or by the broker's own number before it had one. */
	| { do: 'clear'; client: string; packet: Pick<KeptPacket, 'messageId' | 'brokerId' | 'brokerCounter'> }
	/** A message of QoS 2 came in, and was released. */
	| { do: 'receive'; client: string; packet: KeptPacket }
	| { do: 'release'; client: string; messageId: number }
	| { do: 'release-all'; client: string }
	/** The client came or went, epoch ms; a session that is away for too long ends. */
	| { do: 'here'; client: string }
	| { do: 'away'; client: string; at: number }
	| { do: 'end'; client: string }
	/** Everything up to the matching `snapshot-end` stands for everything before. */
	| { do: 'snapshot-begin' }
	| { do: 'snapshot-end' };

export function encodeChange(change: Change): string {
	return JSON.stringify(change, function (this: unknown, key, value: unknown) {
		// Buffers know how to become JSON themselves, at four times the size.
		const raw = (this as Record<string, unknown>)[key];
		return Buffer.isBuffer(raw) ? { base64: raw.toString('base64') } : value;
	});
}

export function decodeChange(record: Buffer): Change {
	return JSON.parse(record.toString('utf8'), (_key, value: unknown) => {
		const { base64 } = (typeof value === 'object' && value !== null ? value : {}) as { base64?: unknown };
		return typeof base64 === 'string' ? Buffer.from(base64, 'base64') : value;
	}) as Change;
}
