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

/** A device id is not longer; a claimed one may be. */
const MAX_ID = 128;

/** Turns device tokens into the senders they stand for. */
export class Credentials {
	readonly #tokens: Tokens;
	readonly #registry: Registry;
	readonly #onRefused: (refused: RefusedSender) => void;
	readonly #senders = new WeakMap<DeviceClaims, Sender>();
	readonly #claims = new WeakMap<Sender, DeviceClaims>();

	/** @param onRefused called for each refused sign-in whose sender is known */
	constructor(tokens: Tokens, registry: Registry, onRefused: (refused: RefusedSender) => void = () => undefined) {
		this.#onRefused = onRefused;
		this.#tokens = tokens;
		this.#registry = registry;
	}

	/**
	 * @param claimedId the device id that the sender states
	 * @throws CrowdVisionError `unauthenticated`
	 */
	async sender(token: string | undefined, claimedId?: string): Promise<Sender> {
		if (!token) throw this.#refused(claimedId, 'The request has no device token');
		const sender = await this.#verified(token).catch((error: Error) => {
			throw error instanceof CrowdVisionError && error.code === 'unauthenticated'
				? this.#refused(claimedId, error.message)
				: error;
		});
		if (!this.#registry.isRevoked(sender.id, sender.issuedAt)) return sender;
		this.#onRefused({ id: sender.id, domainName: sender.domainName, reason: `the token of ${sender.id} was revoked` });
		throw new CrowdVisionError('unauthenticated', 'The token was revoked');
	}

	/** Notes a sign-in without a valid token, if the sender says who it is. Returns the error to throw. */
	#refused(claimedId: string | undefined, reason: string): CrowdVisionError {
		if (claimedId) this.#onRefused({ id: claimedId.slice(0, MAX_ID), domainName: undefined, reason });
		return new CrowdVisionError('unauthenticated', reason);
	}

	async #verified(token: string): Promise<Sender> {
		// The same object for the same token, as long as its key is valid.
		const claims = await this.#tokens.verifyDevice(token);
		let sender = this.#senders.get(claims);
		if (!sender) {
			sender = senderOf(claims);
			this.#senders.set(claims, sender);
			this.#claims.set(sender, claims);
		}
		return sender;
	}

	/** Whether the token of a sender that was signed in here would be accepted now. */
	isStillValid(sender: Sender): boolean {
		const claims = this.#claims.get(sender);
		if (!claims || !this.#tokens.isDeviceStillValid(claims)) return false;
		return !this.#registry.isRevoked(sender.id, sender.issuedAt);
	}

	/**
	 * As `sender`, for a device that also states its name (MQTT user name, HELLO over serial): it must be the token's.
	 */
	async namedSender(deviceId: string | undefined, token: string | undefined): Promise<Sender> {
		const sender = await this.sender(token, deviceId);
		const stated = createHash('sha256')
			.update(deviceId ?? '')
			.digest();
		const expected = createHash('sha256').update(sender.id).digest();
		if (!timingSafeEqual(stated, expected)) throw this.#refused(deviceId, 'The token belongs to another device id');
		return sender;
	}
}
