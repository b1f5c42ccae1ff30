import type { Alert } from '../alert/alert.ts';
import type { ErrorBody } from '../errors.ts';
import type { ReadingWithCursor } from '../reading/reading.ts';
import type { DeviceEvent } from './channels.ts';
import type { CommandOutcome, CommandToDevice } from './command.ts';

/** Answer to an event that is acknowledged. */
export type Outcome<T> = ({ ok: true } & T) | ({ ok: false } & ErrorBody);

/**
 * Dashboards to the socket service, on `/socket.io`. `cursor`: of the snapshot, or of the last thing seen. `renew`
 * takes a fresh token of the same account in place of the one that expires; its answer says when that one does, epoch
 * ms.
 */
export interface DashboardToServer {
	subscribe(
		request: { buildingId: string; cursor?: string },
		done: (outcome: Outcome<{ cursor: string }>) => void,
	): void;
	unsubscribe(request: { buildingId: string }, done?: (outcome: Outcome<object>) => void): void;
	renew(request: { token: string }, done: (outcome: Outcome<{ expiresAt: number }>) => void): void;
}

/**
 * The socket service to dashboards.
 * `superseded` tells a slow client, or one whose cursor is no longer held, that of what is after `from` up to `cursor`
 * it gets latest values only.
 * `ended`: the building is gone, or no longer the account's to see; nothing more of it comes.
 * `expiring`: the connection ends at `expiresAt`, epoch ms, unless it is renewed before.
 */
export interface ServerToDashboard {
	telemetry(readings: ReadingWithCursor[]): void;
	notification(alert: Alert): void;
	device(event: DeviceEvent): void;
	superseded(event: { buildingId: string; reason: 'slow' | 'cursor_expired'; from?: string; cursor: string }): void;
	ended(event: { buildingId: string } & ErrorBody): void;
	expiring(event: { expiresAt: number } & ErrorBody): void;
}

/** Sensors to the gateway, on `/ingest/socket.io`. */
export interface SensorToGateway {
	reading(readings: unknown, done: (outcome: Outcome<{ accepted: number }>) => void): void;
}

export interface GatewayToSensor {
	/** `ok`: it was executed. `outcome` where that does not say it all: `expired` for one that came too late. */
	command(
		command: CommandToDevice,
		done?: (answer: { ok: boolean; outcome?: CommandOutcome; detail?: string }) => void,
	): void;
}
