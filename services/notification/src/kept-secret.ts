import { randomBytes } from 'node:crypto';
import { retryOnConflict } from '@crowdvision/service-kit';
import type { Store } from '@crowdvision/store';

/** The secret of this name, the same in all replicas; made at the first call. */
export async function keptSecret(store: Store, name: string, make = () => randomBytes(32).toString('base64url')) {
	return retryOnConflict(async () => {
		const secrets = store.collection<{ secret: string }>('secrets');
		const stored = await secrets.get(name);
		if (stored) return stored.value.secret;
		const secret = make();
		await store.commit([secrets.insert(name, { secret })]);
		return secret;
	});
}
