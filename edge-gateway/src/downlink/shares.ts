import type { Command } from '@crowdvision/contracts';
import type { CommandBook } from './command-book.ts';
import type { DownlinkConfig } from './downlink-config.ts';

/**
 * Of what may be under way at once, so much may be of one domain: whatever its staff ask for, there is room for the
 * others.
 */
const SHARE_OF_DOMAIN = 0.25;

/** How much of what may be under way is one sensor's, and one domain's. */
export class Shares {
	readonly #perSensor: number;
	readonly #perDomain: number;
	readonly #domainOf: (sensorId: string) => string | undefined;

	/** `domainOf`: whose sensor it is; those that nobody knows the domain of share one share. */
	constructor(
		{ mostUnderWay, mostPerSensor }: Required<DownlinkConfig>,
		domainOf: (sensorId: string) => string | undefined,
	) {
		this.#perSensor = mostPerSensor;
		this.#perDomain = Math.ceil(mostUnderWay * SHARE_OF_DOMAIN);
		this.#domainOf = domainOf;
	}

	/**
	 * Why another command is too many beside those in the book, for a person. One that is late is not: it ends at once.
	 */
	problem(command: Command, book: CommandBook, now: number): string | undefined {
		if (command.deadline <= now) return undefined;
		const underWay = book.underWay();
		const ofSensor = underWay.filter(({ sensorId }) => sensorId === command.sensorId).length;
		if (ofSensor >= this.#perSensor) return `${ofSensor} commands to ${command.sensorId} are under way`;
		const all = [...underWay, ...book.untold()];
		if (all.length < this.#perDomain) return undefined;
		const domain = this.#tenantOf(command.sensorId);
		const ofDomain = all.filter(({ sensorId }) => this.#tenantOf(sensorId) === domain).length;
		return ofDomain >= this.#perDomain
			? `${ofDomain} commands to sensors of ${domain ?? 'no known domain'} are under way`
			: undefined;
	}

	/** Subdomains are their top-level domain's: anybody may make more of them. */
	#tenantOf(sensorId: string): string | undefined {
		return this.#domainOf(sensorId)?.split('/', 1)[0];
	}
}
