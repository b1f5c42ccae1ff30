import { readFileSync } from 'node:fs';
import { backOff, pause } from '@crowdvision/service-kit';
import type { BridgeSettings } from '../config/bridge-settings.ts';
import { untilWanted } from '../config/start-mode.ts';
import { dial, shownUrl } from './address.ts';
import type { LinkStatus } from './link-status.ts';
import { RefusedError, RemoteConnection } from './remote-connection.ts';
import { variantsOf } from './variants.ts';

/**
 * Works with a connection until it ends, and resolves with the reason. `onUp` when it carries messages; `isSecond`: it
 * is not that of the first address.
 */
export type Serve = (connection: RemoteConnection, url: string, isSecond: boolean, onUp: () => void) => Promise<string>;

export interface ReconnectingParts {
	gatewayId: string;
	/** Those in force: read anew for each connecting. */
	settings: () => BridgeSettings;
	/** What waits to be sent, for a bridge that connects when there is enough. */
	queue: Parameters<typeof untilWanted>[1];
	status: Pick<LinkStatus, 'enter' | 'fail'>;
	serve: Serve;
}

const BACK_TO_FIRST = 'the first address is back';
const PLANNED = new Set([BACK_TO_FIRST, 'idle', 'the window of the schedule is over']);

/**
 * Connects whenever the start mode wants it, one address after the other, by the first variant of the protocol that the
 * remote lets in, and has each connection served. After a round of all addresses, or a connection that broke, it backs
 * off. Resolves when stopped, or after the failure of `start: once`.
 */
export async function keepConnected(
	{ gatewayId, settings: inForce, queue, status, serve }: ReconnectingParts,
	signal: AbortSignal,
): Promise<void> {
	const variants = new Map<string, number>();
	let address = 0;
	for (let failures = 0; !signal.aborted; ) {
		const { start } = inForce();
		if (start !== 'automatic' && start !== 'once') status.enter('waiting');
		await untilWanted(inForce(), queue, signal);
		if (signal.aborted) break;
		const settings = inForce();
		address %= settings.urls.length;
		const url = settings.urls[address]!;
		const choices = variantsOf(settings);
		const variant = (variants.get(url) ?? 0) % choices.length;
		status.enter('connecting', shownUrl(url));
		let wasUp = false;
		let reason: string;
		try {
			const connection = await open(settings, gatewayId, url, choices[variant]!, signal);
			reason = await serve(connection, url, address > 0 && !settings.roundRobin, () => {
				wasUp = true;
				failures = 0;
			});
		} catch (error) {
			reason = (error as Error).message;
			if (error instanceof RefusedError && error.version && choices.length > 1) {
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
		// One round of all addresses, then a pause.
		if (wasUp || address % settings.urls.length === 0)
			await pause(backOff(failures++, settings.backOff.minMs, settings.backOff.maxMs), signal);
	}
	status.enter('disconnected');
}

/**
 * Resolves with the reason to leave another address when the first one can be reached again; never once `end` is
 * aborted.
 */
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
			// Still away.
		}
	}
	return new Promise(() => undefined);
}

/** @throws RefusedError, or what went wrong on the way. */
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
			// Some brokers look at the token only, but MQTT 3.1.1 has no password without a user name (section 3.1.2.9).
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
