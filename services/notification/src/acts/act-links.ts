import { createHmac, timingSafeEqual } from 'node:crypto';

/** Who acts by a link. */
export interface Actor {
	accountId?: string;
	/** Id of the webhook whose message holds the link. */
	webhook?: string;
}

/** What a link does, once its signature is checked. */
export interface Act extends Actor {
	alertId: string;
}

const HOUR_MS = 3600_000;
const VALID_HOURS = 48;

/**
 * The signed tokens of links by which alerts are acknowledged without a session. Messages are made again at each
 * attempt, so a token holds nothing random. It works once, as an alert is acknowledged once.
 */
export class ActLinks {
	readonly #secret: string;
	readonly #now: () => number;

	constructor(secret: string, now: () => number) {
		this.#secret = secret;
		this.#now = now;
	}

	tokenFor(alertId: string, { accountId, webhook }: Actor): string {
		const expires = Math.ceil(this.#now() / HOUR_MS) + VALID_HOURS;
		const content = [alertId, accountId === undefined ? `w${webhook ?? ''}` : `a${accountId}`, expires];
		const body = Buffer.from(JSON.stringify(content)).toString('base64url');
		return `${body}.${this.#signature(body)}`;
	}

	/** What a link does; undefined for one that is expired, or was not made here. */
	read(token: string): Act | undefined {
		const [body = '', signature = ''] = token.split('.');
		const expected = Buffer.from(this.#signature(body));
		const given = Buffer.from(signature);
		if (given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined;
		const [alertId, actor, expires] = JSON.parse(Buffer.from(body, 'base64url').toString()) as [string, string, number];
		if (expires * HOUR_MS <= this.#now()) return undefined;
		return {
			alertId,
			...(actor.startsWith('a') ? { accountId: actor.slice(1) } : { webhook: actor.slice(1) }),
		};
	}

	#signature(body: string): string {
		return createHmac('sha256', this.#secret).update(`act\n${body}`).digest('base64url');
	}
}
