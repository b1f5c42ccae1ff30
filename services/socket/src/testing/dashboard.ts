import type {
	Alert,
	DashboardToServer,
	DeviceEvent,
	Outcome,
	ReadingWithCursor,
	ServerToDashboard,
} from '@crowdvision/contracts';
import { io, type ManagerOptions, type Socket, type SocketOptions } from 'socket.io-client';

type Superseded = Parameters<ServerToDashboard['superseded']>[0];

/** A dashboard like a browser's: a real Socket.IO client that records everything it receives. */
export interface Dashboard {
	readonly socket: Socket<ServerToDashboard, DashboardToServer>;
	readonly readings: ReadingWithCursor[];
	readonly superseded: Superseded[];
	readonly alerts: Alert[];
	readonly devices: DeviceEvent[];
	readonly ended: Parameters<ServerToDashboard['ended']>[0][];
	readonly expiring: Parameters<ServerToDashboard['expiring']>[0][];
	/** The reason of each disconnection. */
	readonly disconnected: string[];
	subscribe(buildingId: string, cursor?: string): Promise<Outcome<{ cursor: string }>>;
	/** The values of the readings so far, in the order of their arrival. */
	values(): number[];
	close(): void;
}

/** Resolves when it is connected; rejects with the body of the refusal, or a plain Error, when it is not admitted. */
export async function connectDashboard(
	url: string,
	token: string | undefined,
	options: Partial<ManagerOptions & SocketOptions> = {},
): Promise<Dashboard> {
	const socket: Socket<ServerToDashboard, DashboardToServer> = io(url, {
		transports: ['websocket'],
		reconnection: false,
		forceNew: true,
		...(token !== undefined && { auth: { token } }),
		...options,
	});
	const dashboard: Dashboard = {
		socket,
		readings: [],
		superseded: [],
		alerts: [],
		devices: [],
		ended: [],
		expiring: [],
		disconnected: [],
		subscribe: (buildingId, cursor) =>
			socket.timeout(10_000).emitWithAck('subscribe', { buildingId, ...(cursor !== undefined && { cursor }) }),
		values: () => dashboard.readings.map(({ value }) => value),
		close: () => socket.close(),
	};
	socket.on('telemetry', (readings) => dashboard.readings.push(...readings));
	socket.on('superseded', (event) => dashboard.superseded.push(event));
	socket.on('notification', (alert) => dashboard.alerts.push(alert));
	socket.on('device', (event) => dashboard.devices.push(event));
	socket.on('ended', (event) => dashboard.ended.push(event));
	socket.on('expiring', (event) => dashboard.expiring.push(event));
	socket.on('disconnect', (reason) => dashboard.disconnected.push(reason));
	return new Promise((resolve, reject) => {
		socket.once('connect', () => resolve(dashboard));
		socket.once('connect_error', (error) => {
			socket.close();
			reject((error as Error & { data?: unknown }).data ?? error);
		});
	});
}
