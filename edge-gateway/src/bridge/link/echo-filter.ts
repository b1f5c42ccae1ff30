import { pause } from '@crowdvision/service-kit';
import { ExpectedEchoes } from '../loops/expected-echoes.ts';

/** An echo that has not come back after this time of being connected is no longer expected. */
const MAX_ECHO_AGE_MS = 60_000;
/** How long a test waits for its probe to come back. */
const TEST_MS = 300;

/**
 * Recognizes the messages of one bridge that come back: from its own remote (echoes), and by another bridge of this
 * gateway (returns). Echoes are expected only if a test has shown that the remote sends them.
 */
export class EchoFilter {
	/** By remote topic. */
	readonly #echoes = new ExpectedEchoes(MAX_ECHO_AGE_MS);
	/** By local topic. */
	readonly #returns = new ExpectedEchoes(MAX_ECHO_AGE_MS);
	#remoteEchoes = false;
	#onProbe: () => void = () => undefined;
	#connectedSince: number | undefined;
	#connectedBefore = 0;

	/** Begins to count the time for which the bridge is connected, by which expected echoes age. */
	connected(): void {
		this.#connectedSince = performance.now();
	}

	disconnected(): void {
		this.#connectedBefore = this.#connectedMs();
		this.#connectedSince = undefined;
	}

	/**
	 * Tests whether the remote sends back what it gets. `sendProbe` resolves when the remote has answered a ping after
	 * it.
	 */
	async test(sendProbe: () => Promise<void>, end: AbortSignal): Promise<void> {
		const before = this.#remoteEchoes;
		this.#remoteEchoes = false;
		const returned = new Promise<void>((resolve) => {
			this.#onProbe = resolve;
		});
		await sendProbe();
		const tested = new AbortController();
		await Promise.race([returned, pause(TEST_MS, AbortSignal.any([end, tested.signal]))]);
		tested.abort();
		if (before && !this.#remoteEchoes) this.#echoes.clear();
	}

	/** Call it when a probe has come back from the bridge's own remote. */
	probeReturned(): void {
		this.#remoteEchoes = true;
		this.#onProbe();
	}

	/** Whether the remote sends back what it gets. */
	get remoteEchoes(): boolean {
		return this.#remoteEchoes;
	}

	/** Notes a message that was sent on a topic to which the bridge is subscribed, if the remote sends it back. */
	expectEcho(remoteTopic: string, payload: Buffer): void {
		this.#echoes.expect(remoteTopic, payload, this.#connectedMs());
	}

	/** Whether a message from the remote is an echo; true once for each time it was sent. */
	isEcho(remoteTopic: string, payload: Buffer): boolean {
		return this.#remoteEchoes && this.#echoes.take(remoteTopic, payload, this.#connectedMs());
	}

	/** Notes a message that was sent and may come back by another bridge. */
	expectReturn(localTopic: string, payload: Buffer): void {
		this.#returns.expect(localTopic, payload, this.#connectedMs());
	}

	/** Whether a message that came in by another bridge was sent by this one; true once for each time it was sent. */
	isReturn(localTopic: string, payload: Buffer): boolean {
		return this.#returns.take(localTopic, payload, this.#connectedMs());
	}

	/** For how many ms the bridge has been connected, over all its connections. */
	#connectedMs(): number {
		return this.#connectedBefore + (this.#connectedSince === undefined ? 0 : performance.now() - this.#connectedSince);
	}
}
