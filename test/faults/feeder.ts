import type { GatewayProcess } from './gateway-process.ts';

/** Sends readings whose values count up from 0, in order, over HTTP, and goes on until each is acknowledged. */
export interface Feeder {
	/** Readings acknowledged so far; also the value of the next one. */
	readonly told: number;
	/** Readings a second from now on. */
	pace(perSecond: number): void;
	/** Ends after the batch under way. */
	stop(): Promise<void>;
}

const EVERY_MS = 50;

export async function startFeeder(gateway: GatewayProcess, buildingId: string, perSecond: number): Promise<Feeder> {
	const token = await gateway.tokens.signDevice({ id: 'feeder', domainName: 'works', buildingId });
	let rate = perSecond;
	let told = 0;
	let owed = 0;
	let at = performance.now();
	let stopping = false;
	const send = async () => {
		const now = performance.now();
		owed += ((now - at) / 1000) * rate;
		at = now;
		const count = Math.min(Math.floor(owed), 1000);
		if (count === 0) return;
		const readings = Array.from({ length: count }, (_, n) => ({
			sensorId: 'counter',
			metric: 'illuminance',
			value: told + n,
			buildingId,
			roomId: 'hall',
			seq: told + n,
			boot: 'one',
		}));
		const response = await fetch(`${gateway.url}/ingest`, {
			method: 'POST',
			headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
			body: JSON.stringify(readings),
			signal: AbortSignal.timeout(10_000),
		});
		if (response.status !== 202) throw new Error(`${response.status} ${await response.text()}`);
		told += count;
		owed -= count;
	};
	const running = (async () => {
		while (!stopping) {
			// Sent again as it was: the gateway knows what it has already.
			await send().catch(() => undefined);
			await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
		}
	})();
	return {
		get told() {
			return told;
		},
		pace: (value) => {
			rate = value;
		},
		stop: () => {
			stopping = true;
			return running;
		},
	};
}
