import { TRANSPORTS, type Transport } from '@crowdvision/contracts';
import { type Fleet, type FleetLinks, startFleet } from '@crowdvision/firmware-sim';
import { waitFor } from '@crowdvision/testing/wait';
import type { GatewayProcess } from './gateway-process.ts';

/** A reading whose device was told that it is durable. */
export interface Acknowledged {
	transport: Transport;
	sensorId: string;
	metric: string;
	value: number;
	observedAt: number;
}

export const BUILDING = {
	id: 'works',
	rooms: ['hall', 'lab', 'office', 'store'].map((id, index) => ({ id, capacity: 20 + 10 * index })),
};

/** Real devices on all four transports, at a brisk rate, and what they were told. */
export interface Load {
	readonly fleet: Fleet;
	/** By `{sensorId} {boot} {seq}`. */
	readonly acknowledged: ReadonlyMap<string, Acknowledged>;
	/** Acknowledgements so far. */
	counts(): Record<Transport, number>;
	/**
	 * Resolves when every transport that has devices has heard more acknowledgements than in `before`; rejects naming the
	 * silent ones.
	 */
	flowing(before: Record<Transport, number>, timeoutMs?: number): Promise<void>;
	/** Stops sampling and waits until everything sampled is acknowledged. */
	drain(timeoutMs?: number): Promise<void>;
	stop(): Promise<void>;
}

/** Each transport that has a link carries five sensors, so about `5000 / intervalMs` readings a second. */
export async function startLoad(options: {
	seed: number;
	gateway: Pick<GatewayProcess, 'tokens' | 'said'> & { links: FleetLinks };
	intervalMs?: number;
}): Promise<Load> {
	const { seed, gateway, intervalMs = 60 } = options;
	const { tokens, links } = gateway;
	const acknowledged = new Map<string, Acknowledged>();
	const counts: Record<Transport, number> = { serial: 0, mqtt: 0, http: 0, 'socket.io': 0 };
	const transports = new Map<string, Transport>();
	const fleet = await startFleet({
		seed,
		building: BUILDING,
		links,
		intervalMs,
		credentials: async (deviceId, sensorIds) => ({
			deviceId,
			token: await tokens.signDevice({ id: deviceId, domainName: 'works', sensorIds: [...sensorIds] }),
		}),
		// A day of coming and going in a few minutes, begun in the morning, so that the doors have something to count.
		speed: 200,
		utcOffsetMinutes: 8 * 60 - new Date().getUTCHours() * 60,
		// Every few seconds a device loses its line with readings under way, so that some acknowledgements are lost without
		// a kill too.
		faults: ['unplug:0.002'],
		bufferSize: 100_000,
		ackTimeoutMs: 300,
		retry: { firstMs: 30, longestMs: 300 },
		onAcknowledged: ({ sensorId, boot, seq, metric, value, observedAt = 0 }) => {
			const transport = transports.get(sensorId)!;
			counts[transport]++;
			acknowledged.set(`${sensorId} ${boot} ${seq}`, { transport, sensorId, metric, value, observedAt });
		},
	});
	for (const device of fleet.devices)
		for (const sensorId of device.sensorIds) transports.set(sensorId, device.transport);
	const used = new Set(transports.values());
	return {
		fleet,
		acknowledged,
		counts: () => ({ ...counts }),
		async flowing(before, timeoutMs = 20_000) {
			const silent = () =>
				TRANSPORTS.filter((transport) => used.has(transport) && counts[transport] <= before[transport]);
			await waitFor('acknowledgements', () => silent().length === 0, timeoutMs).catch((error: Error) => {
				throw new Error(`${error.message} over ${silent().join(', ')}; the gateway said:\n${gateway.said()}`, {
					cause: error,
				});
			});
		},
		async drain(timeoutMs = 60_000) {
			fleet.pause();
			if (await fleet.drained(timeoutMs)) return;
			const waiting = fleet.devices
				.filter((device) => device.stats().pending > 0)
				.map((device) => `${device.name}: ${device.stats().pending}`);
			throw new Error(`not everything was acknowledged within ${timeoutMs} ms; still waiting: ${waiting.join(', ')}`);
		},
		stop: () => fleet.stop(),
	};
}
