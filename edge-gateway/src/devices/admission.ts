import type { Adoptions } from './adoptions.ts';
import type { DevicesConfig } from './devices-config.ts';

const MOST_REMEMBERED = 20_000;

/** Which sensors are taken at all: as gateway.yaml allows and denies, and not one whose place another has taken. */
export class Admission {
	readonly #adoptions: Pick<Adoptions, 'hasRetired' | 'replacedBy'>;
	#allow: RegExp | undefined;
	#deny: RegExp | undefined;
	/** By `device sensor`: nearly always the same few. */
	readonly #refusals = new Map<string, string | undefined>();

	constructor(config: DevicesConfig, adoptions: Pick<Adoptions, 'hasRetired' | 'replacedBy'>) {
		this.#adoptions = adoptions;
		this.update(config);
	}

	/** From now on by these lists. */
	update({ allow, deny }: DevicesConfig): void {
		this.#allow = anyOf(allow);
		this.#deny = anyOf(deny);
		this.#refusals.clear();
	}

	/**
	 * Why a reading of this sensor, sent by this device, is not taken; undefined where it is. Costs nothing where nobody
	 * is kept out.
	 */
	refusal(sensorId: string, deviceId: string): string | undefined {
		if (this.#adoptions.hasRetired) {
			const by = this.#adoptions.replacedBy(sensorId);
			if (by !== undefined) return `The sensor "${sensorId}" was replaced by "${by}"; adopt it to take it again`;
		}
		if (!this.#allow && !this.#deny) return undefined;
		const key = `${deviceId} ${sensorId}`;
		if (!this.#refusals.has(key)) {
			if (this.#refusals.size >= MOST_REMEMBERED) this.#refusals.clear();
			this.#refusals.set(key, this.#judge(sensorId, deviceId));
		}
		return this.#refusals.get(key);
	}

	#judge(sensorId: string, deviceId: string): string | undefined {
		const denied = [sensorId, deviceId].find((id) => this.#deny?.test(id));
		if (denied !== undefined) return `"${denied}" is denied by devices.deny of gateway.yaml`;
		const allowed = !this.#allow || this.#allow.test(sensorId) || this.#allow.test(deviceId);
		return allowed ? undefined : `neither "${sensorId}" nor "${deviceId}" is allowed by devices.allow of gateway.yaml`;
	}
}

/** Any of these patterns, the whole of it; undefined for no list. An empty list matches nothing. */
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
