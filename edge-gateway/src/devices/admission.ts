import type { Sender } from '../normalize/identify.ts';
import type { Adoptions } from './adoptions.ts';
import type { DevicesConfig } from './devices-config.ts';

const MAX_REMEMBERED = 20_000;

/** Decides which sensors may send: by `devices.allow` and `devices.deny`, and none that another sensor has replaced. */
export class Admission {
	readonly #adoptions: Pick<Adoptions, 'hasRetired' | 'replacedBy'>;
	#allow: RegExp | undefined;
	#deny: RegExp | undefined;
	/** Decisions by `device sensor`, as nearly all readings come from the same few. */
	readonly #refusals = new Map<string, string | undefined>();
	#revision = 0;

	constructor(config: DevicesConfig, adoptions: Pick<Adoptions, 'hasRetired' | 'replacedBy'>) {
		this.#adoptions = adoptions;
		this.update(config);
	}

	/** Replaces the lists. */
	update({ allow, deny }: DevicesConfig): void {
		this.#allow = anyOf(allow);
		this.#deny = anyOf(deny);
		this.#refusals.clear();
		this.#revision++;
	}

	/** Rises with every change of the lists. */
	get revision(): number {
		return this.#revision;
	}

	/**
	 * Why readings of this sensor from this sender are refused, as a text for users; undefined if they are accepted.
	 * Costs next to nothing if no list is configured.
	 */
	refusal(sensorId: string, { id: deviceId, domainName }: Pick<Sender, 'id' | 'domainName'>): string | undefined {
		if (this.#adoptions.hasRetired) {
			const by = this.#adoptions.replacedBy(sensorId, domainName);
			if (by !== undefined) return `The sensor "${sensorId}" was replaced by "${by}"; adopt it to accept it again`;
		}
		if (!this.#allow && !this.#deny) return undefined;
		const key = `${deviceId} ${sensorId}`;
		if (!this.#refusals.has(key)) {
			if (this.#refusals.size >= MAX_REMEMBERED) this.#refusals.clear();
			this.#refusals.set(key, this.#decide(sensorId, deviceId));
		}
		return this.#refusals.get(key);
	}

	#decide(sensorId: string, deviceId: string): string | undefined {
		const denied = [sensorId, deviceId].find((id) => this.#deny?.test(id));
		if (denied !== undefined) return `"${denied}" is denied by devices.deny of gateway.yaml`;
		const allowed = !this.#allow || this.#allow.test(sensorId) || this.#allow.test(deviceId);
		return allowed ? undefined : `neither "${sensorId}" nor "${deviceId}" is allowed by devices.allow of gateway.yaml`;
	}
}

/** Matches a whole id against any of the patterns; undefined for no list. An empty list matches nothing. */
function anyOf(patterns: readonly string[] | undefined): RegExp | undefined {
	if (!patterns) return undefined;
	const sources = patterns.map((pattern) =>
		pattern
			.replace(/[.+^${}()|[\]\\/]/g, '\\$&')
			.replaceAll('*', '.*')
			.replaceAll('?', '.'),
	);
	return new RegExp(sources.length > 0 ? `^(?:${sources.join('|')})$` : '(?!)', 's');
}
