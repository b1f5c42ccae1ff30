import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';

/** A secret as it is kept: `v1.` and base64url of nonce, ciphertext and tag. */
export type Sealed = string;

const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/**
 * Seals what must be read again (TOTP secrets, client secrets, private keys) with AES-256-GCM before it is kept, so
 * that a database or a backup of it gives none of them away. `what` (kind and id) is bound in: a sealed secret cannot
 * be put in another's place.
 */
export class Seal {
	readonly #key: Buffer;

	constructor(secret: string) {
		this.#key = Buffer.from(hkdfSync('sha256', secret, '', 'crowdvision auth store', 32));
	}

	seal(what: string, secret: string): Sealed {
		const nonce = randomBytes(NONCE_BYTES);
		const cipher = createCipheriv('aes-256-gcm', this.#key, nonce).setAAD(Buffer.from(what));
		const sealed = Buffer.concat([nonce, cipher.update(secret, 'utf8'), cipher.final(), cipher.getAuthTag()]);
		return `v1.${sealed.toString('base64url')}`;
	}

	/** @throws Error when it was sealed with another AUTH_KEY, for something else, or changed. */
	open(what: string, sealed: Sealed): string {
		const bytes = Buffer.from(sealed.slice(3), 'base64url');
		try {
			const decipher = createDecipheriv('aes-256-gcm', this.#key, bytes.subarray(0, NONCE_BYTES)).setAAD(
				Buffer.from(what),
			);
			decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
			return decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES), undefined, 'utf8') + decipher.final('utf8');
		} catch (error) {
			throw new Error(`what is kept of ${what} cannot be opened: was AUTH_KEY changed?`, { cause: error });
		}
	}
}
