import { randomBytes } from 'node:crypto';
import {
	CrowdVisionError,
	type DeviceView,
	type NewDeviceRequest,
	type RetainedRevocation,
} from '@crowdvision/contracts';
import { type RetainedSource, retryOnConflict, type Tokens } from '@crowdvision/service-kit';
import type { Collection, Kept, Store } from '@crowdvision/store';
import type { DeviceDocument } from '../store.ts';

export interface NewDevice extends NewDeviceRequest {
	domainName: string;
}

const MOST_LISTED = 1000;
const MOST_REVOKED = 100_000;
/** A token comes in the header of every request, of which 16 KiB are taken. */
const MOST_SCOPE = 8000;

const nowSeconds = () => Math.floor(Date.now() / 1000);

/**
 * Sensors and gateways that may send. Their tokens are shown once and not kept; what is kept is what they were good
 * for.
 */
export class Devices implements RetainedSource {
	readonly #store: Store;
	readonly #devices: Collection<DeviceDocument>;
	readonly #tokens: Tokens;

	constructor(store: Store, tokens: Tokens) {
		this.#store = store;
		this.#devices = store.collection('devices');
		this.#tokens = tokens;
	}

	/**
	 * A token for a new device, or another for one that is known, with this scope.
	 * @throws CrowdVisionError `conflict` when `deviceId` is a device of another domain, `invalid` for more sensors than
	 * a token can hold.
	 */
	async issue(
		{ domainName, name, buildingId, sensorIds }: NewDevice,
		deviceId = `dev-${randomBytes(9).toString('hex')}`,
	) {
		if (JSON.stringify(sensorIds ?? []).length > MOST_SCOPE) {
			throw new CrowdVisionError('invalid', 'These are more sensors than a token can hold: name a building instead', {
				path: '/sensorIds',
			});
		}
		const scope = { ...(buildingId !== undefined && { buildingId }), ...(sensorIds && { sensorIds }) };
		const issuedAfter = await retryOnConflict(async () => {
			const kept = await this.#devices.get(deviceId);
			if (kept && kept.value.domainName !== domainName) return undefined;
			const before = kept?.value.before ?? 0;
			const value: DeviceDocument = {
				domainName,
				name,
				...scope,
				createdAt: kept?.value.createdAt ?? Date.now(),
				issuedAt: Math.max(nowSeconds(), before + 1),
				revoked: before > 0,
				...(before > 0 && { before }),
			};
			await this.#store.commit([kept ? this.#devices.replace(kept, value) : this.#devices.insert(deviceId, value)]);
			return value.issuedAt - 1;
		});
		if (issuedAfter === undefined) throw new CrowdVisionError('conflict', 'This device id is taken');
		return { deviceId, token: await this.#tokens.signDevice({ id: deviceId, domainName, ...scope }, issuedAfter) };
	}

	/** The newest first. */
	async list(domainName: string): Promise<DeviceView[]> {
		const found = await this.#devices.find({
			where: { domainName },
			order: { by: 'createdAt', descending: true },
			limit: MOST_LISTED,
		});
		return found.map(viewOf);
	}

	/** Voids every token this device was given until now. @throws CrowdVisionError `not_found` */
	revoke(domainName: string, deviceId: string): Promise<void> {
		return retryOnConflict(async () => {
			const kept = await this.#devices.get(deviceId);
			if (kept?.value.domainName !== domainName) throw new CrowdVisionError('not_found', 'There is no such device');
			const before = Math.max(nowSeconds(), kept.value.issuedAt);
			await this.#store.commit([
				this.#devices.replace(kept, { ...kept.value, revoked: true, revokedAt: Date.now(), before }),
			]);
		});
	}

	async keys(): Promise<string[]> {
		return (await this.#devices.find({ where: { revoked: true }, limit: MOST_REVOKED })).map(({ id }) => id);
	}

	async read(deviceId: string): Promise<string | null> {
		const before = (await this.#devices.get(deviceId))?.value.before;
		return before === undefined ? null : JSON.stringify({ before } satisfies RetainedRevocation);
	}
}

function viewOf({
	id,
	value: { domainName, name, buildingId, sensorIds, createdAt, revokedAt },
}: Kept<DeviceDocument>): DeviceView {
	return {
		deviceId: id,
		domainName,
		name,
		...(buildingId !== undefined && { buildingId }),
		...(sensorIds && { sensorIds }),
		createdAt,
		...(revokedAt !== undefined && { revokedAt }),
	};
}
