import { createHash, timingSafeEqual } from 'node:crypto';
import { CrowdVisionError, type DeviceClaims } from '@crowdvision/contracts';
import type { Tokens } from '@crowdvision/service-kit';
import { type Sender, senderOf } from '../normalize/identify.ts';
import type { Registry } from '../registry.ts';

/** Somebody who was not let in. Without a good token it is only said who that is, and of no domain. */
export interface RefusedSender {
	id: string;
	domainName: string | undefined;
	reason: string;
}

/** Turns device tokens into senders. */
export class Credentials {
	readonly #tokens: Tokens;
	readonly #registry: Registry;
	readonly #onRefused: (refused: RefusedSender) => void;
	readonly #senders = new WeakMap<DeviceClaims, Sender>();

	/** `onRefused` is told of everybody who is not let in, as far as it is known who that is. */
	constructor(tokens: Tokens, registry: Registry, onRefused: (refused: RefusedSender) => void = () => undefined) {
		this.#onRefused = onRefused;
		this.#tokens = tokens;
		this.#registry = registry;
	}

	/** @throws CrowdVisionError `unauthenticated` */
	async sender(token: string | undefined): Promise<Sender> {
		if (!token) throw new CrowdVisionError('unauthenticated', 'No device token was sent');
		const sender = await this.#verified(token);
		if (!this.#registry.isRevoked(sender.id, sender.issuedAt)) return sender;
		this.#onRefused({ id: sender.id, domainName: sender.domainName, reason: `the token of ${sender.id} was revoked` });
		throw new CrowdVisionError('unauthenticated', 'The token was revoked');
	}

	async #verified(token: string): Promise<Sender> {
		// The same claims each time for the same token, for as long as its key counts.
		const claims = await this.#tokens.verifyDevice(token);
		let sender = this.#senders.get(claims);
		if (!sender) {
			sender = senderOf(claims);
			this.#senders.set(claims, sender);
		}
		return sender;
	}

	/** As `sender`, where the device also names itself (MQTT user name, serial hello): both must agree. */
	async namedSender(deviceId: string | undefined, token: string | undefined): Promise<Sender> {
		const sender = await this.sender(token);
		const told = createHash('sha256')
			.update(deviceId ?? '')
			.digest();
		const meant = createHash('sha256').update(sender.id).digest();
		if (!timingSafeEqual(told, meant))
			throw new CrowdVisionError('unauthenticated', 'The token is not for this device id');
		return sender;
	}
}
