/** The registry of devices and of what their tokens allow. */
import { randomBytes } from 'node:crypto';
import {
	CrowdVisionError,
	type DeviceView,
	type NewDeviceRequest,
	type RetainedRevocation,
} from '@crowdvision/contracts';
import { type RetainedSource, retryOnConflict, type Tokens } from '@crowdvision/service-kit';
import { type Collection, type DocumentCursor, documentPage, type Store, type Versioned } from '@crowdvision/store';
import type { DeviceDocument } from '../store.ts';

export interface NewDevice extends NewDeviceRequest {
	domainName: string;
	/** Of its building as it is now: a later building of the same id is not open to the token. */
	generation?: string | undefined;
}

const MAX_REVOKED = 100_000;
/**
 * Characters of JSON. A device sends its token in the headers of every request, and servers accept 16 KiB of headers.
 */
const MAX_SCOPE = 8000;

/** Devices (sensors and gateways) that may send readings. Their tokens are shown once; only their scope is stored. */
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
	 * Issues a token with this scope for a new device, or another token for a known one.
	 * @throws CrowdVisionError `conflict` when `deviceId` belongs to another domain, `invalid` for more sensors than a
	 * token can hold
	 */
	async issue(
		{ domainName, name, buildingId, sensorIds, generation }: NewDevice,
		deviceId = `dev-${randomBytes(9).toString('hex')}`,
	) {
		if (JSON.stringify(sensorIds ?? []).length > MAX_SCOPE) {
			throw new CrowdVisionError('invalid', 'A token cannot hold this many sensors: name a building instead', {
				path: '/sensorIds',
			});
		}
		const scope = { ...(buildingId !== undefined && { buildingId }), ...(sensorIds && { sensorIds }) };
		const issuedAfter = await retryOnConflict(async () => {
			const stored = await this.#devices.get(deviceId);
			if (stored && stored.value.domainName !== domainName) return undefined;
			const before = stored?.value.before ?? 0;
			const value: DeviceDocument = {
				domainName,
				name,
				...scope,
				createdAt: stored?.value.createdAt ?? Date.now(),
				issuedAt: Math.max(this.#tokens.nowSeconds(), before + 1),
				revoked: before > 0,
				...(before > 0 && { before }),
			};
			await this.#store.commit([stored ? this.#devices.replace(stored, value) : this.#devices.insert(deviceId, value)]);
			return value.issuedAt - 1;
		});
		if (issuedAfter === undefined) throw new CrowdVisionError('conflict', 'This device id is in use');
		const device = { id: deviceId, domainName, ...scope, ...(generation !== undefined && { generation }) };
		return { deviceId, token: await this.#tokens.signDevice(device, issuedAfter) };
	}

	/** A page of the devices of a domain, revoked ones included, newest first. */
	async list(
		domainName: string,
		page: { limit: number; after: DocumentCursor | undefined },
	): Promise<{ devices: DeviceView[]; next: DocumentCursor | undefined }> {
		const { documents, next } = await documentPage(this.#devices, {
			sections: [{ domainName }],
			by: 'createdAt',
			...page,
		});
		return { devices: documents.map(viewOf), next };
	}

	/** Voids every token issued to this device so far. @throws CrowdVisionError `not_found` */
	revoke(domainName: string, deviceId: string): Promise<void> {
		return retryOnConflict(async () => {
			const stored = await this.#devices.get(deviceId);
			if (stored?.value.domainName !== domainName) throw new CrowdVisionError('not_found', 'There is no such device');
			const before = Math.max(this.#tokens.nowSeconds(), stored.value.issuedAt);
			await this.#store.commit([
				this.#devices.replace(stored, { ...stored.value, revoked: true, revokedAt: Date.now(), before }),
			]);
		});
	}

	async keys(): Promise<string[]> {
		return (await this.#devices.find({ where: { revoked: true }, limit: MAX_REVOKED })).map(({ id }) => id);
	}

	async read(deviceId: string): Promise<string | null> {
		const before = (await this.#devices.get(deviceId))?.value.before;
		return before === undefined ? null : JSON.stringify({ before } satisfies RetainedRevocation);
	}
}

function viewOf({
	id,
	value: { domainName, name, buildingId, sensorIds, createdAt, revokedAt },
}: Versioned<DeviceDocument>): DeviceView {
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
