/** Topics of the broker that are named by sensor, where several tenants may have a sensor of the same id. */
import { TOPICS, tenantOf } from '@crowdvision/contracts';

/** The part of the registry that this needs. */
interface Home {
	/** The tenant whose topics name the sensor only. */
	readonly home: string | undefined;
}

/** A device as far as its topics are concerned. */
interface Owner {
	domainName: string | undefined;
}

const BY_SENSOR: readonly string[] = [TOPICS.status, TOPICS.command];

/**
 * `status/{sensorId}` and `command/{sensorId}` of a device are those of its own tenant. On the broker, and for bridges
 * and Home Assistant, they are `status/@{tenant}/{sensorId}` and `command/@{tenant}/{sensorId}`, except those of the
 * tenant at home (`Registry.home`), which are the same everywhere. No sensor id holds an @.
 */
export class TenantTopics {
	readonly #registry: Home;

	constructor(registry: Home) {
		this.#registry = registry;
	}

	/** The name of a sensor in the topics of the broker. */
	nameOf(sensorId: string, domainName: string | undefined): string {
		const tenant = this.#elsewhere(domainName);
		return tenant === undefined ? sensorId : `@${tenant}/${sensorId}`;
	}

	/** The topic or filter on the broker for one that a device names. One of the broker stays as it is. */
	toBroker(topic: string, { domainName }: Owner): string {
		const slash = topic.indexOf('/');
		if (!BY_SENSOR.includes(topic.slice(0, slash)) || topic[slash + 1] === '@') return topic;
		return topic.slice(0, slash + 1) + this.nameOf(topic.slice(slash + 1), domainName);
	}

	/** The topic by which a device knows one of the broker; undefined for a topic of another tenant. */
	toDevice(topic: string, { domainName }: Owner): string | undefined {
		const slash = topic.indexOf('/');
		if (!BY_SENSOR.includes(topic.slice(0, slash))) return topic;
		const tenant = this.#elsewhere(domainName);
		const rest = topic.slice(slash + 1);
		if (tenant === undefined) return rest.startsWith('@') ? undefined : topic;
		return rest.startsWith(`@${tenant}/`) ? topic.slice(0, slash + 1) + rest.slice(tenant.length + 2) : undefined;
	}

	/** The tenant of a domain, unless it is the one at home. */
	#elsewhere(domainName: string | undefined): string | undefined {
		const { home } = this.#registry;
		if (home === undefined || domainName === undefined) return undefined;
		const tenant = tenantOf(domainName);
		return tenant === home ? undefined : tenant;
	}
}
