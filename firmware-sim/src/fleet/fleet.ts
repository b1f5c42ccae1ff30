/** Starts the simulated devices of a building, each over one of the transports. */
import { randomBytes } from 'node:crypto';
import type { CommandToDevice, Transport } from '@crowdvision/contracts';
import type { Retry } from '../device/back-off.ts';
import type { CommandStats } from '../device/commands.ts';
import { createDevice } from '../device/device.ts';
import { Firmware } from '../device/firmware.ts';
import { Flash } from '../device/flash.ts';
import type { UplinkStats } from '../device/uplink.ts';
import { Faults } from '../faults.ts';
import { httpLink } from '../links/http.ts';
import type { Credentials, Link, OnCommand } from '../links/link.ts';
import { mqttLink } from '../links/mqtt.ts';
import { type SerialLinkOptions, serialLink } from '../links/serial.ts';
import { socketioLink } from '../links/socketio.ts';
import { SILENT, type SimLogger } from '../logger.ts';
import { hash } from '../random.ts';
import type { DeviceReading } from '../reading.ts';
import { type BuildingPlan, SimulatedBuilding } from '../world/building.ts';
import type { RoomState } from '../world/room.ts';
import { type Assign, type DevicePlan, planDevices } from './fleet-plan.ts';

/** The gateway's address per transport; a transport that is left out has no devices. */
export interface FleetLinks {
	/** Such as `mqtt://127.0.0.1:1883`. */
	mqtt?: { url: string };
	/** Such as `http://127.0.0.1:8080`; readings are posted to `/ingest` below it. */
	http?: { url: string };
	/** Such as `http://127.0.0.1:8080`; the path is `/ingest/socket.io` below it. */
	socketio?: { url: string };
	/** The device's end of a line. `hello`: the port requires a token. `name`: how the device identifies itself. */
	serial?: Omit<SerialLinkOptions, 'credentials' | 'onFrame'> & { hello?: boolean };
}

/** Options of a fleet: the simulated devices of a building. */
export interface FleetOptions {
	/** Seed of the building, the sensors and the faults. */
	seed: number;
	building: BuildingPlan;
	links: FleetLinks;
	/** Called once per device before it connects; for a serial device only if its port requires a token. */
	credentials: (deviceId: string, sensorIds: readonly string[]) => Credentials | Promise<Credentials>;
	/** Time between two samples of a sensor; 0: sensors are sampled by `sample` only. */
	intervalMs: number;
	/** Number of readings after which sampling ends. Default: no end. */
	count?: number;
	/** The sensors of each room and their transports. Default: `inTurn`. */
	assign?: Assign;
	/** The devices' clock, epoch ms. Default: this machine's. */
	clock?: () => number;
	/** How many times faster than the devices' clock the building lives. Default 1. */
	speed?: number;
	/** UTC offset of the building's local time. Default 0. */
	utcOffsetMinutes?: number;
	/** Such as `drop:0.05`; see faults.ts. They strike every device, each with a seed of its own. */
	faults?: readonly string[];
	/** The most readings that a device keeps until they are acknowledged. Default 1000. */
	bufferSize?: number;
	/** Default 5000. */
	ackTimeoutMs?: number;
	/** Default 250 ms to 10 s. */
	retry?: Retry;
	/**
	 * Where door counters store their count for the next start. Default: nowhere; a restarted counter then reports
	 * everybody inside as entering.
	 */
	flashFile?: string;
	/** Boot id of the devices. Default: a new one for each start. */
	boot?: string;
	logger?: SimLogger;
	/** Called once per reading when its acknowledgement arrives at the device. */
	onAcknowledged?: (reading: DeviceReading) => void;
	/** Called for each command that a device executed. */
	onExecuted?: (command: CommandToDevice) => void;
}

/** Counts of a fleet since it was started. */
export interface FleetStats extends UplinkStats {
	/** How often each fault has struck. */
	faults: Record<string, number>;
	commands: CommandStats;
}

/** A running fleet. */
export interface Fleet {
	readonly devices: readonly Firmware[];
	/** Totals over all devices. */
	stats(): FleetStats;
	/** Samples every sensor now; returns the number of readings. */
	sample(): number;
	/** The true state of a room now. */
	room(roomId: string): Readonly<RoomState>;
	/**
	 * Puts exactly `count` people into a room, also beyond its capacity, and keeps them there; without `count`, the room
	 * follows the time of day again.
	 * @throws RangeError for an unknown room, or a count that is not a whole number from 0
	 */
	crowd(roomId: string, count?: number): void;
	/** Stops sampling at intervals; readings that were produced are still sent. */
	pause(): void;
	/** Waits until every reading is acknowledged, at most `timeoutMs`; resolves with false if some still wait. */
	drained(timeoutMs: number): Promise<boolean>;
	/** Switches every device off; resolves within a few seconds. */
	stop(): Promise<void>;
}

const DEFAULTS = { bufferSize: 1000, ackTimeoutMs: 5000, retry: { firstMs: 250, longestMs: 10_000 } };

/**
 * Switches on the devices of a building:
 *
 *   seed, clock ─▶ building ─▶ sensors ─▶ firmware: number, date ─▶ uplink: ring buffer, faults ─▶ link ─▶ gateway
 *
 * @throws RangeError for an unknown fault, or for a sensor whose transport has no link; rejects with whatever
 * `credentials` rejects with
 */
export async function startFleet(options: FleetOptions): Promise<Fleet> {
	const { seed, links, clock = Date.now, speed = 1, logger = SILENT } = options;
	const switchedOnAt = clock();
	const buildingClock = () => switchedOnAt + (clock() - switchedOnAt) * speed;
	const building = new SimulatedBuilding(options.building, seed, options.utcOffsetMinutes);
	const flash = options.flashFile === undefined ? undefined : new Flash(options.flashFile, logger);
	const boot = options.boot ?? randomBytes(4).toString('hex');
	const onAcknowledged = (reading: DeviceReading) => {
		if (reading.metric === 'peopleIn') flash?.add(reading.sensorId, reading.value);
		if (reading.metric === 'peopleOut') flash?.add(reading.sensorId, -reading.value);
		options.onAcknowledged?.(reading);
	};

	let left = options.count ?? Number.POSITIVE_INFINITY;
	const mayProduce = () => left-- > 0;

	const devices: Firmware[] = [];
	for (const plan of planDevices(options.building, transportsOf(links), options.assign)) {
		const faults = new Faults(options.faults, hash(seed, plan.deviceId));
		devices.push(
			new Firmware({
				...DEFAULTS,
				...definedOf(options),
				name: plan.deviceId,
				device: createDevice(plan.sensors, building, seed, flash?.counts),
				link: await linkOf(plan, options, faults),
				faults,
				boot,
				clock,
				buildingClock,
				logger,
				onAcknowledged,
				onExecuted: options.onExecuted,
				mayProduce,
			}),
		);
	}
	for (const device of devices) device.start();
	const stopSampling = () => {
		for (const device of devices) device.pause();
	};
	if (options.intervalMs > 0) sampleAtIntervals(devices, options.intervalMs);

	return {
		devices,
		stats: () => sum(devices),
		sample: () => devices.reduce((readings, device) => readings + device.sample(), 0),
		room: (roomId) => building.room(roomId, buildingClock()),
		crowd: (roomId, count) => building.crowd(roomId, count, buildingClock()),
		pause: stopSampling,
		async drained(timeoutMs) {
			const deadline = AbortSignal.timeout(timeoutMs);
			await Promise.all(devices.map((device) => device.drained(deadline)));
			return devices.every((device) => device.stats().pending === 0);
		},
		async stop() {
			stopSampling();
			await Promise.all(devices.map((device) => device.stop()));
			await flash?.save();
		},
	};
}

function definedOf({ bufferSize, ackTimeoutMs, retry }: FleetOptions) {
	return {
		...(bufferSize !== undefined && { bufferSize }),
		...(ackTimeoutMs !== undefined && { ackTimeoutMs }),
		...(retry && { retry }),
	};
}

/** The transports with a link, in the order in which sensors are assigned: a door counter goes to the serial line. */
function transportsOf(links: FleetLinks): Transport[] {
	const linkOfTransport: Record<Transport, unknown> = {
		serial: links.serial,
		mqtt: links.mqtt,
		http: links.http,
		'socket.io': links.socketio,
	};
	return (Object.keys(linkOfTransport) as Transport[]).filter((transport) => linkOfTransport[transport] !== undefined);
}

async function linkOf(
	{ deviceId, transport, sensors }: DevicePlan,
	{ links, credentials }: FleetOptions,
	faults: Faults,
): Promise<(onCommand: OnCommand) => Link> {
	const sensorIds = sensors.map((sensor) => sensor.sensorId);
	const { serial, mqtt, http, socketio } = links;
	const signIn = transport === 'serial' && !serial?.hello ? undefined : await credentials(deviceId, sensorIds);
	if (transport === 'serial' && serial) {
		const { hello: _hello, ...line } = serial;
		const onFrame = (frame: Uint8Array) => faults.onFrame(frame);
		return (onCommand) => serialLink({ ...line, onFrame, onCommand, ...(signIn && { credentials: signIn }) });
	}
	if (signIn && transport === 'mqtt' && mqtt) {
		return (onCommand) => mqttLink({ url: mqtt.url, clientId: deviceId, credentials: signIn, sensorIds, onCommand });
	}
	if (signIn && transport === 'http' && http) return () => httpLink(http.url, signIn);
	if (signIn && transport === 'socket.io' && socketio)
		return (onCommand) => socketioLink(socketio.url, signIn, onCommand);
	throw new RangeError(`${sensorIds.join(', ')} should use ${transport}, but there is no link for it`);
}

/** Samples every device now, and then at intervals, spread over the interval so that they do not all send at once. */
function sampleAtIntervals(devices: readonly Firmware[], intervalMs: number): void {
	for (const [index, device] of devices.entries()) {
		device.sample();
		device.sampleEvery(intervalMs, intervalMs + (index * intervalMs) / devices.length);
	}
}

function sum(devices: readonly Firmware[]): FleetStats {
	const total: FleetStats = {
		produced: 0,
		sent: 0,
		resent: 0,
		acknowledged: 0,
		refused: 0,
		overwritten: 0,
		pending: 0,
		connected: 0,
		faults: {},
		commands: { received: 0, repeated: 0, executed: 0, failed: 0, expired: 0 },
	};
	for (const device of devices) {
		const { faults, commands, ...counts } = device.stats();
		for (const [name, count] of Object.entries(commands) as [keyof CommandStats, number][])
			total.commands[name] += count;
		for (const [name, count] of Object.entries(counts) as [keyof UplinkStats, number][]) total[name] += count;
		for (const [name, count] of Object.entries(faults)) total.faults[name] = (total.faults[name] ?? 0) + count;
	}
	return total;
}
