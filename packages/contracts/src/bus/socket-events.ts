/** The events of Socket.IO: between dashboards and the socket service, and between sensors and the gateway. */
import type { Alert } from '../alert/alert.ts';
import type { ErrorBody, RejectedPart } from '../errors.ts';
import type { ReadingWithCursor } from '../reading/reading.ts';
import type { DeviceEvent } from './channels.ts';
import type { CommandOutcome, CommandToDevice } from './command.ts';

/** The answer to an acknowledged event. */
export type Outcome<T> = ({ ok: true } & T) | ({ ok: false } & ErrorBody);

/**
 * Events from dashboards to the socket service, on `/socket.io`. `cursor` is that of the snapshot, or the last one
 * received. `renew` replaces the expiring token by a fresh one of the same account; its answer says when that one
 * expires, in epoch ms.
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
 * Events from the socket service to dashboards.
 * - `superseded`: of the readings after `from` up to `cursor` the client gets latest values only, because it is slow or
 *   its cursor is no longer held.
 * - `ended`: the building was removed, or the account may no longer see it; no more events follow for it.
 * - `expiring`: the connection ends at `expiresAt`, epoch ms, unless its token is renewed before.
 */
export interface ServerToDashboard {
	telemetry(readings: ReadingWithCursor[]): void;
	notification(alert: Alert): void;
	device(event: DeviceEvent): void;
	superseded(event: { buildingId: string; reason: 'slow' | 'cursor_expired'; from?: string; cursor: string }): void;
	ended(event: { buildingId: string } & ErrorBody): void;
	expiring(event: { expiresAt: number } & ErrorBody): void;
}

/** Events from sensors to the gateway, on `/ingest/socket.io`. */
export interface SensorToGateway {
	reading(
		readings: unknown,
		done: (outcome: Outcome<{ accepted: number; rejected?: readonly RejectedPart[] }>) => void,
	): void;
}

/** Events from the gateway to sensors. */
export interface GatewayToSensor {
	/** `ok`: it was executed. `outcome` is needed only for `expired`: it arrived too late. */
	command(
		command: CommandToDevice,
		done?: (answer: { ok: boolean; outcome?: CommandOutcome; detail?: string }) => void,
	): void;
}
