import { type Command, tenantOf } from '@crowdvision/contracts';
import type { CommandStore } from './command-store.ts';
import type { DownlinkConfig } from './downlink-config.ts';

/** Share of the commands under way that one domain may have, so that there is room for the other domains. */
const DOMAIN_SHARE = 0.25;

/** The domain of the sensor that a command is for, which the command may name; undefined if it is unknown. */
export type DomainOf = (command: Pick<Command, 'sensorId' | 'domainName'>) => string | undefined;

/** Limits how many of the commands under way one sensor and one domain may have. */
export class CommandQuotas {
	readonly #perSensor: number;
	readonly #perDomain: number;
	readonly #domainOf: DomainOf;

	/** `domainOf`: all sensors of an unknown domain share one quota. */
	constructor({ mostUnderWay, mostPerSensor }: Required<DownlinkConfig>, domainOf: DomainOf) {
		this.#perSensor = mostPerSensor;
		this.#perDomain = Math.ceil(mostUnderWay * DOMAIN_SHARE);
		this.#domainOf = domainOf;
	}

	/**
	 * Why another command would exceed a quota, as a text for users; undefined if it would not. A command past its
	 * deadline never does, as it ends at once. `now` is in epoch ms.
	 */
	problem(command: Command, store: CommandStore, now: number): string | undefined {
		if (command.deadline <= now) return undefined;
		const underWay = store.underWay();
		const tenant = this.#tenantOf(command);
		const isSame = (other: Command) => other.sensorId === command.sensorId && this.#tenantOf(other) === tenant;
		const ofSensor = underWay.filter(isSame).length;
		if (ofSensor >= this.#perSensor) return `${ofSensor} commands to ${command.sensorId} are under way`;
		const all = [...underWay, ...store.unpublished()];
		if (all.length < this.#perDomain) return undefined;
		const ofDomain = all.filter((other) => this.#tenantOf(other) === tenant).length;
		return ofDomain >= this.#perDomain
			? `${ofDomain} commands to sensors of ${tenant ?? 'an unknown domain'} are under way`
			: undefined;
	}

	/** Subdomains share the quota of their top-level domain, as its staff can create any number of them. */
	#tenantOf(command: Pick<Command, 'sensorId' | 'domainName'>): string | undefined {
		const domain = this.#domainOf(command);
		return domain === undefined ? undefined : tenantOf(domain);
	}
}
