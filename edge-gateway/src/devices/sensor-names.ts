/** Which id a sensor has whose name holds characters that an id may not, and how people call it. */
import { tenantOf } from '@crowdvision/contracts';
import { CheckpointFile } from '@crowdvision/log';
import type { Logger } from '@crowdvision/service-kit';
import type { Candidate } from '../decode/message/candidate.ts';
import { idApart, originOf } from '../decode/vendor/sensor-id.ts';
import { sensorOfSeries } from '../normalize/identify.ts';
import type { Registry } from '../registry.ts';
import type { Availability, ToldPresence } from './availability.ts';

/** The file on disk. */
interface StoredNames {
	/** By an id of the version before, of a tenant (as `seriesIdOf`): which sensor has it now. */
	kept: Record<string, string>;
	/** By domain and sensor id: its name as it was sent. */
	names: Record<string, string>;
	/** Names of a tenant's sensors that are ids, but those of other sensors. */
	apart?: string[];
}

/** What `SensorNames` needs. */
export interface SensorNamesParts {
	/** Path of the file that keeps names and ids across restarts. */
	path: string;
	registry: Pick<Registry, 'sensor' | 'home'>;
	availability: Pick<Availability, 'of'>;
	logger: Logger;
}

const MAX_NAMES = 20_000;
const MAX_NAME_LENGTH = 128;
const SAVE_AFTER_MS = 1000;
/** Births and data of a Sparkplug node come by topics that differ in this level. */
const SPARKPLUG_TYPE = /(spBv1\.0\/[^/]+\/[ND])(?:BIRTH|DATA)(?=\/|$)/;

/**
 * The ids and names of sensors whose vendor's name is no id. A sensor that the version before knew keeps its id, so
 * that its room and its history stay: the one whose readings came by the same topic. See
 * docs/decisions/0018-sensor-names.md.
 */
export class SensorNames {
	readonly #parts: SensorNamesParts;
	readonly #file: CheckpointFile<StoredNames>;
	readonly #kept: Map<string, string>;
	/** The same the other way round: by sensor of a tenant, the id that it keeps. */
	readonly #keeps: Map<string, string>;
	readonly #apart: Set<string>;
	readonly #names: Map<string, string>;
	/** Sensors, with their topics, of which the version before knew none. */
	readonly #unkept = new Set<string>();
	#saveTimer: NodeJS.Timeout | undefined;

	private constructor(parts: SensorNamesParts) {
		this.#parts = parts;
		this.#file = new CheckpointFile<StoredNames>(parts.path);
		const { kept = {}, names = {}, apart = [] } = this.#file.read().value ?? {};
		this.#kept = new Map(Object.entries(kept));
		this.#keeps = new Map(Object.entries(kept).map(([former, sensorId]) => keptBy(former, sensorId)));
		this.#apart = new Set(apart);
		this.#names = new Map(Object.entries(names));
	}

	/** Reads the names on disk. */
	static open(parts: SensorNamesParts): SensorNames {
		return new SensorNames(parts);
	}

	/** How people of a domain call a sensor; undefined if its id says the same. */
	nameOf(sensorId: string, domainName: string | undefined): string | undefined {
		return this.#names.get(keyOf(sensorId, domainName));
	}

	/**
	 * A decoded reading with the id that its sensor keeps, and with its name.
	 * @param source topic, path or port by which it came
	 * @param domainName of its sender
	 * @param isFromName the id was made from a vendor's name, not stated by the sender or the configuration
	 */
	identify(candidate: Candidate, source: string, domainName: string | undefined, isFromName = true): Candidate {
		const { sensorId, sensorName } = candidate;
		if (typeof sensorId !== 'string') return candidate;
		const origin = originOf(sensorId);
		const isApart = !origin && isFromName && this.#isApart(sensorId, source, domainName);
		const name = shown(typeof sensorName === 'string' ? sensorName : isApart ? sensorId : origin?.name);
		if (!origin && name === undefined) return candidate;
		const id = isApart
			? idApart(sensorId)
			: origin
				? this.#idOf(sensorId, origin.formerId, source, domainName)
				: sensorId;
		if (name === undefined) return id === sensorId ? candidate : { ...candidate, sensorId: id };
		const key = keyOf(id, domainName);
		if (this.#names.get(key) !== name) {
			if (this.#names.size >= MAX_NAMES) this.#names.delete(this.#names.keys().next().value!);
			this.#names.set(key, name);
			this.#saveSoon();
		}
		return { ...candidate, sensorId: id, sensorName: name };
	}

	/** Whether a sensor's name is the id of another, which is known by it since before names were told apart. */
	#isApart(name: string, source: string, domainName: string | undefined): boolean {
		const series = this.#seriesOf(name, domainName);
		if (!this.#kept.has(series)) return false;
		if (this.#apart.has(series)) return true;
		const known = this.#parts.availability.of(name, domainName === undefined ? undefined : tenantOf(domainName));
		if (!known.some((before) => before.source && withoutType(before.source) !== withoutType(source))) return false;
		this.#apart.add(series);
		this.#saveSoon();
		return true;
	}

	/** What a message says of sensors, also of those that keep another id. */
	presence(told: ToldPresence): ToldPresence {
		const { of } = told;
		if (of.kind !== 'sensor') return told;
		const { ids, below } = of;
		const kept = [...this.#kept]
			.filter(([, id]) => ids.some((one) => id === one || (below && id.startsWith(`${one}.`))))
			.map(([former]) => sensorOfSeries(former, undefined).sensorId);
		return kept.length === 0 ? told : { ...told, of: { ...of, ids: [...ids, ...kept] } };
	}

	async close(): Promise<void> {
		clearTimeout(this.#saveTimer);
		if (this.#saveTimer) await this.#save();
		await this.#file.settled();
	}

	/** The id that a sensor keeps: its former one, if its readings came by this source and no other sensor has it. */
	#idOf(sensorId: string, formerId: string, source: string, domainName: string | undefined): string {
		const series = this.#seriesOf(sensorId, domainName);
		const keeps = this.#keeps.get(series);
		if (keeps !== undefined) return keeps;
		const former = this.#seriesOf(formerId, domainName);
		if (this.#kept.has(former)) return sensorId;
		const { registry, availability } = this.#parts;
		if (registry.sensor(sensorId, { domainName })) return sensorId;
		const topic = withoutType(source);
		const unkept = `${series} ${topic}`;
		const tenant = domainName === undefined ? undefined : tenantOf(domainName);
		if (this.#unkept.has(unkept)) return sensorId;
		if (!availability.of(formerId, tenant).some((before) => before.source && withoutType(before.source) === topic)) {
			if (this.#unkept.size >= MAX_NAMES) this.#unkept.clear();
			this.#unkept.add(unkept);
			return sensorId;
		}
		this.#kept.set(former, sensorId);
		this.#keeps.set(series, formerId);
		this.#saveSoon();
		return formerId;
	}

	/** As `seriesIdOf`, where only the sender's domain is known. */
	#seriesOf(id: string, domainName: string | undefined): string {
		const { home } = this.#parts.registry;
		const tenant = domainName === undefined ? undefined : tenantOf(domainName);
		return tenant === undefined || home === undefined || tenant === home ? id : `${tenant}/${id}`;
	}

	#saveSoon(): void {
		this.#saveTimer ??= setTimeout(() => this.#save(), SAVE_AFTER_MS).unref();
	}

	async #save(): Promise<void> {
		this.#saveTimer = undefined;
		try {
			await this.#file.write({
				kept: Object.fromEntries(this.#kept),
				names: Object.fromEntries(this.#names),
				apart: [...this.#apart],
			});
		} catch (error) {
			this.#parts.logger.warn({ err: error }, 'the names of sensors could not be written');
		}
	}
}

const keyOf = (sensorId: string, domainName = '') => `${domainName} ${sensorId}`;
/** The entry of `keeps` for one of `kept`. */
function keptBy(former: string, sensorId: string): [series: string, formerId: string] {
	const { sensorId: formerId } = sensorOfSeries(former, undefined);
	return [former.slice(0, former.length - formerId.length) + sensorId, formerId];
}
const withoutType = (topic: string) => topic.replace(SPARKPLUG_TYPE, '$1');

/** A name as it may be shown: one line of at most 128 characters. */
function shown(name: string | undefined): string | undefined {
	const line = name
		?.replace(/\p{Cc}/gu, ' ')
		.trim()
		.slice(0, MAX_NAME_LENGTH);
	return line === '' ? undefined : line?.toWellFormed();
}
