import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto';
import { CrowdVisionError } from '@crowdvision/contracts';

/** An encrypted secret: `v1.` and base64url of nonce, ciphertext and tag. */
export type Sealed = string;

const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/**
 * Encrypts secrets that must be readable again (TOTP secrets, client secrets, private keys) with AES-256-GCM before
 * they are stored, so that a copy of the database reveals none. `label` (kind and id) is authenticated with the secret:
 * a sealed secret copied to another document does not open there.
 */
export class Seal {
	readonly #key: Buffer;

	/** @param secret AUTH_KEY */
	constructor(secret: string) {
		this.#key = Buffer.from(hkdfSync('sha256', secret, '', 'crowdvision auth store', 32));
	}

	/** Eight letters and digits that replicas with the same AUTH_KEY, and only they, derive for a purpose. */
	nameFor(purpose: string): string {
		return createHmac('sha256', this.#key).update(purpose).digest('hex').slice(0, 8);
	}

	/**
	 * A signature, base64url, that replicas with the same AUTH_KEY, and only they, can make; `purpose` without a line
	 * end.
	 */
	signature(purpose: string, text: string): string {
		return createHmac('sha256', this.#key).update(`${purpose}\n${text}`).digest('base64url');
	}

	seal(label: string, secret: string): Sealed {
		const nonce = randomBytes(NONCE_BYTES);
		const cipher = createCipheriv('aes-256-gcm', this.#key, nonce).setAAD(Buffer.from(label));
		const sealed = Buffer.concat([nonce, cipher.update(secret, 'utf8'), cipher.final(), cipher.getAuthTag()]);
		return `v1.${sealed.toString('base64url')}`;
	}

	/** Whether it was sealed with this AUTH_KEY and label. */
	opens(label: string, sealed: Sealed): boolean {
		try {
			this.open(label, sealed);
			return true;
		} catch {
			return false;
		}
	}

	/** @throws Error when it was sealed with another AUTH_KEY or label, or was altered. */
	open(label: string, sealed: Sealed): string {
		const bytes = Buffer.from(sealed.slice(3), 'base64url');
		try {
			const decipher = createDecipheriv('aes-256-gcm', this.#key, bytes.subarray(0, NONCE_BYTES)).setAAD(
				Buffer.from(label),
			);
			decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
			return decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES), undefined, 'utf8') + decipher.final('utf8');
		} catch (error) {
			throw new LostSecret(`the stored secret "${label}" cannot be decrypted: was AUTH_KEY changed?`, { cause: error });
		}
	}
}

/** A stored secret that needs another AUTH_KEY; the answer to a request that needs it. */
class LostSecret extends CrowdVisionError {
	constructor(message: string, options: ErrorOptions) {
		super('unavailable', `${message} Restore it, or set the secret again`);
		this.cause = options.cause;
	}
}
