import { createHash, timingSafeEqual } from 'node:crypto';
import { CrowdVisionError } from '@crowdvision/contracts';
import type { Tokens } from '@crowdvision/service-kit';
import { type Sender, senderOf } from './normalize/identify.ts';
import type { Registry } from './registry.ts';

const MOST_CACHED = 10_000;

/** Turns device tokens into senders. Verified tokens are remembered, by their hash, until they expire: HTTP sends one with every request. */
export class Credentials {
	readonly #tokens: Tokens;
	readonly #registry: Registry;
	readonly #known = new Map<string, { sender: Sender; expiresAt: number }>();

	constructor(tokens: Tokens, registry: Registry) {
		this.#tokens = tokens;
		this.#registry = registry;
	}

	/** @throws CrowdVisionError `unauthenticated` */
	async sender(token: string | undefined): Promise<Sender> {
		if (!token) throw new CrowdVisionError('unauthenticated', 'No device token was sent');
		const sender = await this.#verified(token);
		if (this.#registry.isRevoked(sender.id, sender.issuedAt)) throw new CrowdVisionError('unauthenticated', 'The token was revoked');
		return sender;
	}

	async #verified(token: string): Promise<Sender> {
		const hash = createHash('sha256').update(token).digest('base64');
		const known = this.#known.get(hash);
		if (known && known.expiresAt > Date.now()) return known.sender;
		const claims = await this.#tokens.verifyDevice(token);
		const sender = senderOf(claims);
		this.#known.set(hash, { sender, expiresAt: claims.exp * 1000 });
		if (this.#known.size > MOST_CACHED) this.#known.delete(this.#known.keys().next().value!);
		return sender;
	}

	/** As `sender`, where the device also names itself (MQTT user name, serial hello): both must agree. */
	async namedSender(deviceId: string | undefined, token: string | undefined): Promise<Sender> {
		const sender = await this.sender(token);
		const told = createHash('sha256')
			.update(deviceId ?? '')
			.digest();
		const meant = createHash('sha256').update(sender.id).digest();
		if (!timingSafeEqual(told, meant)) throw new CrowdVisionError('unauthenticated', 'The token is not for this device id');
		return sender;
	}
}
