import { createHash } from 'node:crypto';

/** A key that is the same for two messages with the same topic and payload only. */
export function messageKey(topic: string, payload: Buffer): string {
	return createHash('sha1').update(topic).update('\0').update(payload).digest('base64');
}
