/** Signs in devices that come over HTTP: by bearer token, or by HTTP Basic with device id and token. */
import { timingSafeEqual } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { CrowdVisionError } from '@crowdvision/contracts';
import { bearerToken } from '@crowdvision/service-kit';
import type { SignInThrottle } from '../limits/sign-in-throttle.ts';
import type { Sender } from '../normalize/identify.ts';
import type { Credentials } from './credentials.ts';

/** The schemes in which a device may sign in, for `WWW-Authenticate` (RFC 9110 section 11.6.1), one field each. */
export const CHALLENGES = ['Bearer', 'Basic realm="CrowdVision device", charset="UTF-8"'];

const BASIC = /^Basic +/i;
const BASE64 = /^[A-Za-z0-9+/_-]+={0,2}$/;

/**
 * Device id and token of `Authorization: Basic …` (RFC 7617 section 2); undefined for another scheme. The last colon
 * separates them: a token contains none, but a device id may.
 * @throws CrowdVisionError `unauthenticated` for credentials that are malformed
 */
export function basicCredentials(authorization: string | undefined): { deviceId: string; token: string } | undefined {
	const scheme = authorization && BASIC.exec(authorization)?.[0];
	if (!scheme) return undefined;
	const encoded = authorization.slice(scheme.length).trimEnd();
	const text = BASE64.test(encoded) ? Buffer.from(encoded, 'base64').toString('utf8') : '';
	const colon = text.lastIndexOf(':');
	if (colon === -1)
		throw new CrowdVisionError('unauthenticated', 'Basic credentials must be the base64 of <device id>:<token>');
	return { deviceId: text.slice(0, colon), token: text.slice(colon + 1) };
}

/** What signs a request in: its headers, or those of a handshake. */
interface Signed {
	headers: { authorization?: string | undefined };
}

/** The last credentials of a connection. */
interface Verified {
	/** The value of `Authorization`, one byte for each character. */
	header: Buffer;
	/** As long as `header`, for the value to compare with it. */
	compared: Buffer;
	sender: Sender;
}

/** Signs in devices over HTTP. Answers to failed attempts are delayed, by address; see SignInThrottle. */
export class HttpSignIn {
	readonly #credentials: Credentials;
	readonly #throttle: SignInThrottle;
	readonly #verified = new WeakMap<object, Verified>();

	constructor(credentials: Credentials, throttle: SignInThrottle) {
		this.#credentials = credentials;
		this.#throttle = throttle;
	}

	/**
	 * The sender of a request.
	 * @param token a token that came another way than in a header, and counts before it
	 * @throws CrowdVisionError `unauthenticated`
	 */
	async sender({ headers: { authorization } }: Signed, address: string, token?: string): Promise<Sender> {
		try {
			const basic = token === undefined ? basicCredentials(authorization) : undefined;
			if (basic) return await this.#credentials.namedSender(basic.deviceId, basic.token);
			return await this.#credentials.sender(token ?? bearerToken({ headers: { authorization } }));
		} catch (error) {
			// Without credentials there was no attempt: a client may first ask which schemes there are.
			const attempted = token !== undefined || authorization !== undefined;
			if (attempted && error instanceof CrowdVisionError && error.code === 'unauthenticated') {
				const wait = this.#throttle.failed(address);
				if (wait > 0) await delay(wait, undefined, { ref: false });
			}
			throw error;
		}
	}

	/** Notes whose credentials came over a connection, for `again`. `authorization` was verified to be the sender's. */
	remember(connection: object, authorization: string, sender: Sender): void {
		const header = Buffer.from(authorization, 'latin1');
		this.#verified.set(connection, { header, compared: Buffer.alloc(header.length), sender });
	}

	/**
	 * The sender of the last request of a connection, if this one has the same credentials and `sender` would resolve
	 * with the same; undefined where only `sender` can tell.
	 */
	again(connection: object, authorization: string | undefined): Sender | undefined {
		const verified = this.#verified.get(connection);
		if (!verified || authorization?.length !== verified.header.length) return undefined;
		verified.compared.write(authorization, 'latin1');
		if (!timingSafeEqual(verified.compared, verified.header)) return undefined;
		return this.#credentials.isStillValid(verified.sender) ? verified.sender : undefined;
	}
}
