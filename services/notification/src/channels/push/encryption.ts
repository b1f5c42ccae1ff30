/** How a push message is encrypted for a device (RFC 8291, RFC 8188) and signed by its sender (RFC 8292). */
import { createCipheriv, createECDH, createPrivateKey, hkdfSync, randomBytes, sign } from 'node:crypto';
import type { PushKeys } from './push-keys.ts';

const RECORD_BYTES = 4096;
/** Ends the last, and here the only, record. */
const DELIMITER = 2;
/** A push service refuses more than 24 hours. */
const TOKEN_SECONDS = 12 * 3600;

/** What makes an encryption different each time; given in tests only. */
export interface Once {
	salt: Buffer;
	/** Of the key pair that is used once, base64url. */
	privateKey: string;
}

/**
 * The body of a message for a subscription, in the content coding `aes128gcm`.
 * @param keys of the subscription, base64url
 * @throws Error where they are no keys
 */
export function encryptFor(keys: { p256dh: string; auth: string }, payload: string, once?: Once): Buffer {
	const device = Buffer.from(keys.p256dh, 'base64url');
	const sender = createECDH('prime256v1');
	if (once) sender.setPrivateKey(once.privateKey, 'base64url');
	else sender.generateKeys();
	const own = sender.getPublicKey();
	const salt = once?.salt ?? randomBytes(16);
	const derive = (secret: Buffer, by: Buffer, info: Buffer | string, length: number) =>
		Buffer.from(hkdfSync('sha256', secret, by, info, length));
	const info = Buffer.concat([Buffer.from('WebPush: info\0'), device, own]);
	const secret = derive(sender.computeSecret(device), Buffer.from(keys.auth, 'base64url'), info, 32);
	const key = derive(secret, salt, 'Content-Encoding: aes128gcm\0', 16);
	const nonce = derive(secret, salt, 'Content-Encoding: nonce\0', 12);
	const cipher = createCipheriv('aes-128-gcm', key, nonce);
	const record = Buffer.concat([cipher.update(payload, 'utf8'), cipher.update(Buffer.of(DELIMITER)), cipher.final()]);
	const size = Buffer.alloc(4);
	size.writeUInt32BE(RECORD_BYTES);
	return Buffer.concat([salt, size, Buffer.of(own.length), own, record, cipher.getAuthTag()]);
}

/**
 * The header `Authorization` by which a push service knows who sends.
 * @param subject where it reaches whoever runs this: a `mailto:` or https URL
 * @param now epoch ms
 */
export function vapidHeader(endpoint: string, subject: string, keys: PushKeys, now: number): string {
	const encoded = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
	const claims = { aud: new URL(endpoint).origin, exp: Math.floor(now / 1000) + TOKEN_SECONDS, sub: subject };
	const content = `${encoded({ typ: 'JWT', alg: 'ES256' })}.${encoded(claims)}`;
	const point = Buffer.from(keys.publicKey, 'base64url');
	const key = createPrivateKey({
		key: {
			...{ kty: 'EC', crv: 'P-256', d: keys.privateKey },
			x: point.subarray(1, 33).toString('base64url'),
			y: point.subarray(33).toString('base64url'),
		},
		format: 'jwk',
	});
	const signature = sign('sha256', Buffer.from(content), { key, dsaEncoding: 'ieee-p1363' });
	return `vapid t=${content}.${signature.toString('base64url')}, k=${keys.publicKey}`;
}
