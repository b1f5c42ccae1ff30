import { setTimeout as wait } from 'node:timers/promises';
import { type Logger, retryOnConflict, type SharedSecret } from '@crowdvision/service-kit';
import type { Collection, Store } from '@crowdvision/store';
import { summary } from '../names.ts';
import type { DeviceDocument, SecretsDocument } from '../store.ts';

const ID = 'shared';
/** Secrets that are remembered; of an older one only its devices go unnoticed. */
const MAX_PERIODS = 50;
const MAX_DEVICES = 100_000;

/**
 * Which shared secrets have signed tokens, and when. After a restore without `jwt-secret` every token is void: people
 * sign in again, but a device stays away until somebody gives it another token. So their devices are named.
 */
export class SecretHistory {
	readonly #store: Store;
	readonly #secrets: Collection<SecretsDocument>;
	readonly #devices: Collection<DeviceDocument>;
	readonly #fingerprints: readonly string[];
	readonly #logger: Logger;
	#trouble: string | undefined;

	constructor(store: Store, keys: SharedSecret, logger: Logger) {
		this.#store = store;
		this.#secrets = store.collection('secrets');
		this.#devices = store.collection('devices');
		this.#fingerprints = keys.fingerprints;
		this.#logger = logger;
	}

	/** What is wrong and what to do, as of the last `check`. */
	trouble(): string | undefined {
		return this.#trouble;
	}

	/**
	 * Notes the secret that signs from now on, then checks.
	 * @param now epoch seconds, by the clock that tokens are signed by
	 */
	async start(now: number): Promise<void> {
		const [current] = this.#fingerprints;
		await retryOnConflict(async () => {
			const stored = await this.#secrets.get(ID);
			const periods = stored?.value.periods ?? [];
			if (periods.at(-1)?.fingerprint === current) return;
			// Whatever was signed before this was noted is taken to be of the present secret.
			const next = { fingerprint: current!, from: stored ? now + 1 : 0 };
			const value = { periods: [...periods, next].slice(-MAX_PERIODS) };
			await this.#store.commit([stored ? this.#secrets.replace(stored, value) : this.#secrets.insert(ID, value)]);
			// `iat` counts seconds: what is signed from here on is of a later one than all that was signed before.
			if (stored) await wait(1000);
		});
		await this.check();
	}

	/** Looks for devices whose tokens were signed with a secret that is not there any more, and logs once. */
	async check(): Promise<void> {
		const periods = (await this.#secrets.get(ID))?.value.periods ?? [];
		const lost = periods.flatMap(({ fingerprint, from }, index) =>
			this.#fingerprints.includes(fingerprint) ? [] : [{ from, to: periods[index + 1]?.from ?? Infinity }],
		);
		const before = this.#trouble;
		const devices = lost.length === 0 ? [] : await this.#devicesOf(lost);
		this.#trouble =
			devices.length === 0
				? undefined
				: 'JWT_SECRET, or the file jwt-secret in DATA_DIR, is not the one that signed the tokens of these devices, ' +
					`which are refused: ${summary(devices)}. Restore it from the backup or set it as JWT_SECRET_PREVIOUS, or ` +
					'give these devices new tokens and revoke the old ones';
		if (this.#trouble !== undefined && before === undefined) this.#logger.error(this.#trouble);
	}

	async #devicesOf(periods: readonly { from: number; to: number }[]): Promise<string[]> {
		const all = await this.#devices.find({ limit: MAX_DEVICES });
		return all
			.filter(
				({ value: { issuedAt, before = 0 } }) =>
					before < issuedAt && periods.some(({ from, to }) => issuedAt >= from && issuedAt < to),
			)
			.map(({ id, value: { name, domainName } }) => `${id} (${name}, ${domainName})`);
	}
}
