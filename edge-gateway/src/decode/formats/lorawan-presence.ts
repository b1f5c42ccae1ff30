/** Hears in the messages of LoRaWAN network servers which devices can still be reached. */
import type { Decoded } from '../message/candidate.ts';
import type { Decoder, Decoding } from '../message/decoder.ts';
import type { Presence } from '../message/presence.ts';
import { sensorIdOf } from '../vendor/sensor-id.ts';
import { isObject, type JsonObject, member, textMember } from '../vendor/vendor-table.ts';

const MAX_SENSORS = 20_000;
/** Longer than any message about a gateway or a join. */
const MAX_BYTES = 64 * 1024;
const CONNECTION = /(?:^|\/)gateway\/([^/]+)\/state\/conn$/;
/** Events of The Things Stack's gateway server. */
const EVENTS: Readonly<Record<string, Presence['state']>> = {
	'gs.gateway.connect': 'online',
	'gs.gateway.disconnect': 'offline',
};

/** Which gateways received each sensor's last uplink, and which of them are offline. */
export class SensorsBehindGateways {
	/** By sensor id. */
	readonly #gateways = new Map<string, readonly string[]>();
	readonly #offline = new Set<string>();

	/** Notes by which gateways an uplink with readings of these sensors was received. */
	received(sensorIds: Iterable<string>, gateways: readonly string[]): void {
		if (gateways.length === 0) return;
		for (const gateway of gateways) this.#offline.delete(gateway);
		for (const sensorId of sensorIds) {
			this.#gateways.delete(sensorId);
			this.#gateways.set(sensorId, gateways);
		}
		while (this.#gateways.size > MAX_SENSORS) this.#gateways.delete(this.#gateways.keys().next().value!);
	}

	/**
	 * Notes that a gateway came or went. Returns the sensors for which that makes the difference: those that no other
	 * gateway receives.
	 */
	changed(gateway: string, state: Presence['state']): string[] {
		if (state === 'offline') this.#offline.add(gateway);
		else this.#offline.delete(gateway);
		return [...this.#gateways].flatMap(([sensorId, gateways]) =>
			gateways.includes(gateway) && gateways.every((other) => other === gateway || this.#offline.has(other))
				? [sensorId]
				: [],
		);
	}
}

/**
 * Decodes as `inner` does, and hears besides: joins, after which a device is online; and the connections of gateways
 * (ChirpStack: `…/gateway/{id}/state/conn`; The Things Stack: events `gs.gateway.connect` and `gs.gateway.disconnect`).
 * When the last gateway that received a device is gone, the device cannot be heard any more and is offline.
 */
export function withLorawanPresence(inner: Decoder, behind: SensorsBehindGateways): Decoder {
	return {
		decode(message) {
			const body = objectIn(message.raw);
			const presence = body && (connectionIn(message.source, body, behind) ?? joinIn(message.source, body));
			if (presence) return presence;
			const note = (decoding: Decoding) => {
				if (body && Array.isArray(decoding)) behind.received(sensorsIn(decoding), gatewaysIn(body));
				return decoding;
			};
			const decoding = inner.decode(message);
			return decoding instanceof Promise ? decoding.then(note) : note(decoding);
		},
		...(inner.close && { close: () => inner.close!() }),
	};
}

function sensorsIn(decoded: readonly Decoded[]): Set<string> {
	return new Set(decoded.map(({ candidate }) => candidate.sensorId).filter((id) => typeof id === 'string'));
}

function objectIn(raw: Buffer): JsonObject | undefined {
	if (raw.length > MAX_BYTES) return undefined;
	try {
		const value: unknown = JSON.parse(raw.toString('utf8'));
		return isObject(value) ? value : undefined;
	} catch {
		// The decoder says what is wrong with it.
		return undefined;
	}
}

/** That a gateway came or went, as the sensors behind it. */
function connectionIn(topic: string, body: JsonObject, behind: SensorsBehindGateways): Presence | undefined {
	const named = textMember(body, 'gatewayId') ?? textMember(body, 'gatewayID') ?? CONNECTION.exec(topic)?.[1];
	const word = textMember(body, 'state')?.toLowerCase();
	if (CONNECTION.test(topic) && named !== undefined && (word === 'online' || word === 'offline'))
		return { state: word, of: { kind: 'sensor', ids: behind.changed(named, word), below: false } };
	const event = textMember(body, 'name');
	if (event === undefined || !Object.hasOwn(EVENTS, event)) return undefined;
	const identifiers = member(body, 'identifiers');
	const ids = (Array.isArray(identifiers) ? identifiers : []).flatMap(
		(one) => textMember(member(one, 'gateway_ids'), 'gateway_id') ?? [],
	);
	const state = EVENTS[event]!;
	return { state, of: { kind: 'sensor', ids: ids.flatMap((id) => behind.changed(id, state)), below: false } };
}

/** A device that joins is there. */
function joinIn(topic: string, body: JsonObject): Presence | undefined {
	const id =
		textMember(member(body, 'end_device_ids'), 'device_id') ?? textMember(member(body, 'deviceInfo'), 'devEui');
	if (id === undefined || !(topic.endsWith('/join') || isObject(member(body, 'join_accept')))) return undefined;
	return { state: 'online', of: { kind: 'sensor', ids: [sensorIdOf(id)], below: true } };
}

function gatewaysIn(body: JsonObject): string[] {
	const uplink = member(body, 'uplink_message');
	const received = member(uplink, 'rx_metadata') ?? member(body, 'rxInfo');
	if (!Array.isArray(received)) return [];
	return received.flatMap(
		(one) => textMember(member(one, 'gateway_ids'), 'gateway_id') ?? textMember(one, 'gatewayId') ?? [],
	);
}
