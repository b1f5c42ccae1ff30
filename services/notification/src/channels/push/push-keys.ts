import type { Store } from '@crowdvision/store';
import { keptSecret } from '../../kept-secret.ts';
import type { NotificationSettings } from '../../settings.ts';

/** The keys by which push services know this installation (VAPID, RFC 8292); base64url. */
export interface PushKeys {
	publicKey: string;
	privateKey: string;
}

/** The keys of the environment, else those made at the first call and kept. */
export async function pushKeys(
	store: Store,
	{ VAPID_PUBLIC_KEY, VAPID_PRIVATE_KEY }: Pick<NotificationSettings, 'VAPID_PUBLIC_KEY' | 'VAPID_PRIVATE_KEY'>,
): Promise<PushKeys> {
	if (VAPID_PUBLIC_KEY !== undefined && VAPID_PRIVATE_KEY !== undefined)
		return { publicKey: VAPID_PUBLIC_KEY, privateKey: VAPID_PRIVATE_KEY };
	const { generateKeyPairSync } = await import('node:crypto');
	const kept = await keptSecret(store, 'push keys', () => {
		const { x, y, d } = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' });
		const point = Buffer.concat([Buffer.from([4]), Buffer.from(x!, 'base64url'), Buffer.from(y!, 'base64url')]);
		return JSON.stringify({ publicKey: point.toString('base64url'), privateKey: d! } satisfies PushKeys);
	});
	return JSON.parse(kept) as PushKeys;
}
