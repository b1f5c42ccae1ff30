/** A push service with one browser behind it: it verifies who sends (RFC 8292) and decrypts what (RFC 8291). */
import { createDecipheriv, createECDH, createPublicKey, hkdfSync, randomBytes, verify } from 'node:crypto';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import { closeServer, listen } from '@crowdvision/service-kit';

/** A message as the browser gets it. */
export interface Pushed {
	path: string;
	topic: string;
	/** The key that signed it, base64url. */
	publicKey: string;
	/** JSON of the decrypted content. */
	payload: unknown;
}

export interface PushService {
	/** As `127.0.0.1:20123`. */
	readonly address: string;
	readonly pushed: Pushed[];
	/** What is wrong with requests that no push service would have taken. */
	readonly refused: string[];
	/** The status of its answers; default 201. From 300 on the message is turned away. */
	status: number;
	turnedAway: number;
	/** What `PushSubscription.toJSON()` gives in that browser; each path is a device. */
	subscription(path: string): { endpoint: string; keys: { p256dh: string; auth: string } };
	stop(): Promise<void>;
}

export async function startPushService(): Promise<PushService> {
	const browser = createECDH('prime256v1');
	browser.generateKeys();
	const auth = randomBytes(16);
	const pushed: Pushed[] = [];
	const refused: string[] = [];
	const server = createServer((request, response) => {
		const chunks: Buffer[] = [];
		request.on('data', (chunk: Buffer) => chunks.push(chunk));
		request.on('end', () => {
			if (service.status >= 300) {
				service.turnedAway++;
				return void response.writeHead(service.status).end('as told');
			}
			try {
				const publicKey = signerOf(request.headers, `http://${service.address}`);
				const payload = JSON.parse(decrypted(Buffer.concat(chunks), browser, auth).toString());
				pushed.push({ path: request.url ?? '', topic: String(request.headers.topic), publicKey, payload });
				response.writeHead(service.status).end();
			} catch (error) {
				refused.push(String(error));
				response.writeHead(400).end(String(error));
			}
		});
	});
	const port = await listen(server, 0, '127.0.0.1');
	const service: PushService = {
		...{ address: `127.0.0.1:${port}`, pushed, refused, status: 201, turnedAway: 0 },
		subscription: (path) => ({
			endpoint: `http://127.0.0.1:${port}${path}`,
			keys: { p256dh: browser.getPublicKey('base64url'), auth: auth.toString('base64url') },
		}),
		stop: () => closeServer(server, 0),
	};
	return service;
}

/** The public key of a valid VAPID header. */
function signerOf(headers: IncomingHttpHeaders, origin: string): string {
	const [, token = '', key = ''] = /^vapid t=([^,]+), ?k=(\S+)$/.exec(headers.authorization ?? '') ?? [];
	const [head = '', claims = '', signature = ''] = token.split('.');
	const point = Buffer.from(key, 'base64url');
	const jwk = {
		...{ kty: 'EC', crv: 'P-256' },
		x: point.subarray(1, 33).toString('base64url'),
		y: point.subarray(33).toString('base64url'),
	};
	const publicKey = createPublicKey({ key: jwk, format: 'jwk' });
	const signed = Buffer.from(`${head}.${claims}`);
	const options = { key: publicKey, dsaEncoding: 'ieee-p1363' as const };
	if (!verify('sha256', signed, options, Buffer.from(signature, 'base64url')))
		throw new Error('the signature is wrong');
	const { aud, exp, sub } = JSON.parse(Buffer.from(claims, 'base64url').toString());
	if (aud !== origin) throw new Error(`meant for ${aud}`);
	if (exp * 1000 < Date.now() || exp * 1000 > Date.now() + 24 * 3600_000) throw new Error(`expires at ${exp}`);
	if (!/^(mailto:|https:)/.test(sub)) throw new Error(`of nobody: ${sub}`);
	if (!/^[A-Za-z0-9_-]{1,32}$/.test(String(headers.topic))) throw new Error(`topic ${headers.topic}`);
	if (!(Number(headers.ttl) > 0)) throw new Error(`TTL ${headers.ttl}`);
	return key;
}

function decrypted(body: Buffer, browser: ReturnType<typeof createECDH>, auth: Buffer): Buffer {
	const salt = body.subarray(0, 16);
	const idLength = body[20]!;
	const sender = body.subarray(21, 21 + idLength);
	const sealed = body.subarray(21 + idLength);
	const derive = (secret: Buffer, by: Buffer, info: Buffer, length: number) =>
		Buffer.from(hkdfSync('sha256', secret, by, info, length));
	const info = Buffer.concat([Buffer.from('WebPush: info\0'), browser.getPublicKey(), sender]);
	const key = derive(browser.computeSecret(sender), auth, info, 32);
	const content = derive(key, salt, Buffer.from('Content-Encoding: aes128gcm\0'), 16);
	const nonce = derive(key, salt, Buffer.from('Content-Encoding: nonce\0'), 12);
	const decipher = createDecipheriv('aes-128-gcm', content, nonce);
	decipher.setAuthTag(sealed.subarray(-16));
	const padded = Buffer.concat([decipher.update(sealed.subarray(0, -16)), decipher.final()]);
	return padded.subarray(0, padded.lastIndexOf(2));
}
