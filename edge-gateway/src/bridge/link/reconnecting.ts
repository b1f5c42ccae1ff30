import { readFileSync } from 'node:fs';
import { pause, Retry } from '@crowdvision/service-kit';
import type { BridgeSettings } from '../config/bridge-settings.ts';
import { untilWanted } from '../config/start-mode.ts';
import { dial, displayUrl } from '../remote/address.ts';
import { RefusedError, RemoteConnection } from '../remote/remote-connection.ts';
import type { LinkStatus } from './link-status.ts';
import { variantsOf } from './variants.ts';

/**
 * Uses a connection until it ends, and resolves with the reason. `isSecond`: it is not to the preferred address. Calls
 * `onUp` when the connection carries messages.
 */
export type Serve = (connection: RemoteConnection, url: string, isSecond: boolean, onUp: () => void) => Promise<string>;

export interface ReconnectingParts {
	gatewayId: string;
	/** The settings in force, read for each attempt. */
	settings: () => BridgeSettings;
	/** The queue of messages, whose length decides when a lazy bridge connects. */
	queue: Parameters<typeof untilWanted>[1];
	status: Pick<LinkStatus, 'enter' | 'fail'>;
	serve: Serve;
}

const BACK_TO_FIRST = 'the first address is back';
/** Reasons for ending a connection that are no failures. */
const PLANNED = new Set([BACK_TO_FIRST, 'idle', 'the window of the schedule is over']);

/**
 * Connects whenever the start mode demands it, to one address after the other, with the first protocol version that the
 * remote accepts, and serves each connection. Pauses after a round of all addresses, and after a lost connection.
 * Resolves when stopped, or after a failure with `start: once`.
 */
export async function keepConnected(
	{ gatewayId, settings: inForce, queue, status, serve }: ReconnectingParts,
	signal: AbortSignal,
): Promise<void> {
	/** The variant of the protocol to try, by address. */
	const variants = new Map<string, number>();
	const retry = new Retry({ what: 'bridge: connecting', signal });
	let address = 0;
	while (!signal.aborted) {
		const { start } = inForce();
		if (start !== 'automatic' && start !== 'once') status.enter('waiting');
		await untilWanted(inForce(), queue, signal);
		if (signal.aborted) break;
		const settings = inForce();
		address %= settings.urls.length;
		const url = settings.urls[address]!;
		const choices = variantsOf(settings);
		const variant = (variants.get(url) ?? 0) % choices.length;
		status.enter('connecting', displayUrl(url));
		let wasUp = false;
		let reason: string;
		try {
			const connection = await open(settings, gatewayId, url, choices[variant]!, signal);
			reason = await serve(connection, url, address > 0 && !settings.roundRobin, () => {
				wasUp = true;
				retry.succeeded();
			});
		} catch (error) {
			reason = (error as Error).message;
			if (error instanceof RefusedError && error.isVersion && choices.length > 1) {
				variants.set(url, variant + 1);
				if (variant + 1 < choices.length) continue;
			}
		}
		if (signal.aborted) break;
		if (PLANNED.has(reason)) {
			if (reason === BACK_TO_FIRST) address = 0;
			status.enter('disconnected');
			continue;
		}
		status.fail(reason);
		if (settings.start === 'once') return void status.enter('stopped');
		address = wasUp && !settings.roundRobin ? 0 : address + 1;
		const { minMs: firstMs, maxMs: longestMs } = settings.backOff;
		if (wasUp || address % settings.urls.length === 0) await retry.failed(reason, { firstMs, longestMs });
	}
	status.enter('disconnected');
}

/** Resolves with the reason for a disconnection when the first address can be reached again; not once `end` aborts. */
export async function untilFirstIsBack(settings: BridgeSettings, end: AbortSignal): Promise<string> {
	while (!end.aborted) {
		await pause(settings.returnAfterMs, end);
		if (end.aborted) break;
		try {
			const stream = await dial(
				{
					url: settings.urls[0]!,
					tls: settings.tls,
					bindAddress: settings.bindAddress,
					timeoutMs: settings.connectTimeoutMs,
				},
				end,
			);
			stream.on('error', () => undefined);
			stream.destroy();
			return BACK_TO_FIRST;
		} catch {
			// Not reachable yet.
		}
	}
	return new Promise(() => undefined);
}

/**
 * Opens a connection with the credentials of the settings. @throws RefusedError, or Error when there is no connection
 */
async function open(
	settings: BridgeSettings,
	gatewayId: string,
	url: string,
	variant: { protocol: 4 | 5; bridgeBit: boolean },
	signal: AbortSignal,
): Promise<RemoteConnection> {
	const { name, secret, state } = settings;
	const password = secret && ('text' in secret ? secret.text : readFileSync(secret.file, 'utf8').trim());
	return RemoteConnection.open(
		{ url, tls: settings.tls, bindAddress: settings.bindAddress, timeoutMs: settings.connectTimeoutMs },
		{
			...variant,
			clientId: settings.clientId,
			clean: settings.cleanSession,
			sessionExpiryMs: settings.sessionExpiryMs,
			keepAliveMs: settings.keepAliveMs,
			// Some brokers need a token only, but MQTT 3.1.1 allows no password without a user name (section 3.1.2.9).
			username: settings.username ?? (password === undefined ? undefined : settings.clientId),
			password,
			maxPacketSize: settings.maxPacketSize,
			will:
				state.remoteTopic === undefined
					? undefined
					: { topic: state.remoteTopic, payload: JSON.stringify({ name, gatewayId, state: 'disconnected' }) },
		},
		signal,
	);
}
