/** Verifies device tokens and turns them into senders. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { CrowdVisionError, type DeviceClaims } from '@crowdvision/contracts';
import type { Tokens } from '@crowdvision/service-kit';
import { type Sender, senderOf } from '../normalize/identify.ts';
import type { Registry } from '../registry.ts';

/** A sender whose sign-in was refused. Without a valid token its id is only a claim, and it has no domain. */
export interface RefusedSender {
	id: string;
	domainName: string | undefined;
	reason: string;
}

/** Turns device tokens into the senders they stand for. */
export class Credentials {
	readonly #tokens: Tokens;
	readonly #registry: Registry;
	readonly #onRefused: (refused: RefusedSender) => void;
	readonly #senders = new WeakMap<DeviceClaims, Sender>();

	/** @param onRefused called for each refused sign-in whose sender is known */
	constructor(tokens: Tokens, registry: Registry, onRefused: (refused: RefusedSender) => void = () => undefined) {
		this.#onRefused = onRefused;
		this.#tokens = tokens;
		this.#registry = registry;
	}

	/** @throws CrowdVisionError `unauthenticated` */
	async sender(token: string | undefined): Promise<Sender> {
		if (!token) throw new CrowdVisionError('unauthenticated', 'The request has no device token');
		const sender = await this.#verified(token);
		if (!this.#registry.isRevoked(sender.id, sender.issuedAt)) return sender;
		this.#onRefused({ id: sender.id, domainName: sender.domainName, reason: `the token of ${sender.id} was revoked` });
		throw new CrowdVisionError('unauthenticated', 'The token was revoked');
	}

	async #verified(token: string): Promise<Sender> {
		// The same object for the same token, as long as its key is valid.
		const claims = await this.#tokens.verifyDevice(token);
		let sender = this.#senders.get(claims);
		if (!sender) {
			sender = senderOf(claims);
			this.#senders.set(claims, sender);
		}
		return sender;
	}

	/**
	 * As `sender`, for a device that also states its name (MQTT user name, HELLO over serial): it must be the token's.
	 */
	async namedSender(deviceId: string | undefined, token: string | undefined): Promise<Sender> {
		const sender = await this.sender(token);
		const stated = createHash('sha256')
			.update(deviceId ?? '')
			.digest();
		const expected = createHash('sha256').update(sender.id).digest();
		if (!timingSafeEqual(stated, expected))
			throw new CrowdVisionError('unauthenticated', 'The token belongs to another device id');
		return sender;
	}
}
