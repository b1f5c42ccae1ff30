import type { Bus, Subscription } from '@crowdvision/bus';
import { type RetainedAdoption, type RetainedSensor, TABLES } from '@crowdvision/contracts';
import { CheckpointFile } from '@crowdvision/log';
import { type Logger, pause } from '@crowdvision/service-kit';

/** A sensor whose place another one has taken. */
interface Retired {
	/** The sensor that stands there now. */
	by: string;
	at: number;
	/** It is registered no more: if it is again, somebody wants it back. */
	gone: boolean;
}

interface Kept {
	adopted: Record<string, RetainedAdoption>;
	retired: Record<string, Retired>;
}

export interface AdoptionsParts {
	gatewayId: string;
	/** Called when a sensor has a place, adopted or registered. */
	onPlaced: (sensorId: string) => void;
	logger: Logger;
}

const TELL_AGAIN_MS = 30_000;

/**
 * Sensors that staff gave a place at this gateway. The registry of sensors is twin's, so an adoption is durable here,
 * counts here at once, and is told on the bus until twin has taken it in, which its registry shows; from then on it is
 * twin's to say. On its own, the gateway keeps it.
 */
export class Adoptions {
	readonly #file: CheckpointFile<Kept>;
	readonly #gatewayId: string;
	readonly #onPlaced: (sensorId: string) => void;
	readonly #logger: Logger;
	readonly #adopted: Map<string, RetainedAdoption>;
	readonly #retired: Map<string, Retired>;
	/** As twin tells them. */
	readonly #registered = new Map<string, RetainedSensor>();
	readonly #stopping = new AbortController();
	readonly #links: Subscription[] = [];
	#bus: Bus | undefined;
	#telling: Promise<void> | undefined;

	private constructor(file: CheckpointFile<Kept>, kept: Kept | undefined, parts: AdoptionsParts) {
		this.#file = file;
		this.#adopted = new Map(Object.entries(kept?.adopted ?? {}));
		this.#retired = new Map(Object.entries(kept?.retired ?? {}));
		this.#gatewayId = parts.gatewayId;
		this.#onPlaced = parts.onPlaced;
		this.#logger = parts.logger;
	}

	/** Reads the adoptions on disk. */
	static open(path: string, parts: AdoptionsParts): Adoptions {
		const file = new CheckpointFile<Kept>(path);
		return new Adoptions(file, file.read().value, parts);
	}

	/** Where an adopted sensor stands while twin does not say so. */
	sensor(sensorId: string): RetainedSensor | undefined {
		return this.#adopted.get(sensorId);
	}

	/** Which sensor stands in this one's place, if it is retired. */
	replacedBy(sensorId: string): string | undefined {
		return this.#retired.get(sensorId)?.by;
	}

	get hasRetired(): boolean {
		return this.#retired.size > 0;
	}

	/**
	 * Gives a sensor a place; with `replaces`, that of a sensor which is retired by it. Resolves when it is durable.
	 * @throws the disk's error; then nothing has changed.
	 */
	async adopt(place: RetainedSensor & { replaces?: string }, at: number): Promise<void> {
		const { sensorId, buildingId, roomId, replaces } = place;
		const [adopted, retired] = [new Map(this.#adopted), new Map(this.#retired)];
		adopted.set(sensorId, {
			sensorId,
			buildingId,
			roomId,
			...(replaces !== undefined && { replaces }),
			gatewayId: this.#gatewayId,
			at,
		});
		retired.delete(sensorId);
		if (replaces !== undefined) {
			adopted.delete(replaces);
			retired.set(replaces, { by: sensorId, at, gone: !this.#registered.has(replaces) });
		}
		await this.#file.write({ adopted: Object.fromEntries(adopted), retired: Object.fromEntries(retired) });
		replaceAll(this.#adopted, adopted);
		replaceAll(this.#retired, retired);
		this.#onPlaced(sensorId);
		this.#tell(sensorId);
	}

	/** Follows the bus from now on, and tells it what it may not know. */
	async follow(bus: Bus): Promise<void> {
		this.#bus = bus;
		this.#links.push(await bus.watch(TABLES.sensors, (sensorId, value) => this.#registeredAs(sensorId, value)));
		this.#links.push(await bus.watch(TABLES.adoptions, (sensorId, value) => this.#answered(sensorId, value)));
		this.#telling = this.#tellAgain(this.#stopping.signal);
	}

	async close(): Promise<void> {
		this.#stopping.abort();
		await Promise.all(this.#links.map((link) => link.close()));
		await this.#telling;
		await this.#file.settled();
	}

	#registeredAs(sensorId: string, value: string | null): void {
		if (value === null) this.#registered.delete(sensorId);
		else this.#registered.set(sensorId, JSON.parse(value) as RetainedSensor);
		const retired = this.#retired.get(sensorId);
		if (retired && value === null) this.#change(() => this.#retired.set(sensorId, { ...retired, gone: true }));
		else if (retired?.gone) this.#change(() => this.#retired.delete(sensorId));
		if (value !== null) this.#onPlaced(sensorId);
		for (const adoption of this.#adopted.values()) {
			if (adoption.sensorId === sensorId || adoption.replaces === sensorId) this.#settle(adoption);
		}
	}

	/** Once twin has taken it in, it is twin's. */
	#settle({ sensorId, replaces }: RetainedAdoption): void {
		if (!this.#registered.has(sensorId) || (replaces !== undefined && this.#registered.has(replaces))) return;
		this.#change(() => this.#adopted.delete(sensorId));
		this.#retain(sensorId, null);
	}

	/** Twin answers on the same table where it does not take an adoption in. */
	#answered(sensorId: string, value: string | null): void {
		const answer = value === null ? undefined : (JSON.parse(value) as RetainedAdoption);
		const adoption = this.#adopted.get(sensorId);
		if (!adoption || answer?.refused === undefined || answer.at !== adoption.at || answer.gatewayId !== this.#gatewayId)
			return;
		this.#logger.warn({ sensorId, reason: answer.refused }, 'an adoption was refused, and is undone');
		this.#change(() => {
			this.#adopted.delete(sensorId);
			if (adoption.replaces !== undefined) this.#retired.delete(adoption.replaces);
		});
		this.#retain(sensorId, null);
	}

	#change(change: () => unknown): void {
		change();
		const kept = { adopted: Object.fromEntries(this.#adopted), retired: Object.fromEntries(this.#retired) };
		this.#file
			.write(kept)
			.catch((error: unknown) => this.#logger.warn({ err: error }, 'the adoptions could not be written'));
	}

	#tell(sensorId: string): void {
		const adoption = this.#adopted.get(sensorId);
		if (adoption) this.#retain(sensorId, JSON.stringify(adoption));
	}

	/** The bus may have lost it, or twin may have been in trouble. */
	async #tellAgain(signal: AbortSignal): Promise<void> {
		while (!signal.aborted) {
			for (const sensorId of this.#adopted.keys()) this.#tell(sensorId);
			await pause(TELL_AGAIN_MS, signal);
		}
	}

	#retain(sensorId: string, value: string | null): void {
		this.#bus?.retain(TABLES.adoptions, sensorId, value).catch((error: Error) => {
			this.#logger.debug({ err: error.message, sensorId }, 'an adoption is not told to the bus yet');
		});
	}
}

function replaceAll<T>(map: Map<string, T>, by: Map<string, T>): void {
	map.clear();
	for (const [key, value] of by) map.set(key, value);
}
