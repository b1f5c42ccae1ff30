import type { Transport } from '@crowdvision/contracts';
import type { SensorPlan } from '../device/device.ts';
import type { KindName } from '../kinds/index.ts';
import { hash } from '../random.ts';
import type { BuildingPlan } from '../world/building.ts';

/**
 * Returns the kinds of sensors in a room, each with its transport. A room should have a door counter or a camera, not
 * both: their counts would disagree.
 */
export type Assign = (room: BuildingPlan['rooms'][number], roomIndex: number) => Partial<Record<KindName, Transport>>;

/** A device and the sensors wired to it. */
export interface DevicePlan {
	deviceId: string;
	transport: Transport;
	sensors: SensorPlan[];
}

/**
 * Gives every room a door counter or, in turn, a camera, and sensors for climate, CO2 and noise. The transports take
 * turns, shifted by one from room to room, so that each of them carries each kind of value.
 */
function inTurn(transports: readonly Transport[]): Assign {
	return (_room, roomIndex) => {
		const kinds: KindName[] = [roomIndex % 2 === 0 ? 'door' : 'camera', 'climate', 'co2', 'noise'];
		return Object.fromEntries(kinds.map((kind, index) => [kind, transports[(roomIndex + index) % transports.length]]));
	};
}

/**
 * Assigns sensors to devices: one device for the serial line, one per MQTT sensor (an MQTT connection has one last
 * will), one per room over HTTP and over Socket.IO. A sensor's id is `{room}-{kind}`.
 * @throws RangeError if there is no transport
 */
export function planDevices(
	building: BuildingPlan,
	transports: readonly Transport[],
	assign: Assign = inTurn(transports),
): DevicePlan[] {
	if (transports.length === 0) throw new RangeError('a fleet needs at least one link: serial, mqtt, http or socketio');
	const devices = new Map<string, DevicePlan>();
	for (const [roomIndex, room] of building.rooms.entries()) {
		for (const [kind, transport] of Object.entries(assign(room, roomIndex)) as [KindName, Transport][]) {
			const sensorId = `${idPart(room.id)}-${kind}`;
			const deviceId = deviceOf(transport, idPart(room.id), sensorId);
			const device = devices.get(deviceId) ?? { deviceId, transport, sensors: [] };
			device.sensors.push({ sensorId, roomId: room.id, kind });
			devices.set(deviceId, device);
		}
	}
	return [...devices.values()];
}

function deviceOf(transport: Transport, room: string, sensorId: string): string {
	if (transport === 'serial') return 'sim-serial';
	return `sim-${transport.replace('.', '')}-${transport === 'mqtt' ? sensorId : room}`;
}

/**
 * A room's id as a part of a sensor's id, which allows fewer characters. A changed id gets a hash, so that no two
 * become equal.
 */
function idPart(roomId: string): string {
	const clean = roomId.replace(/[^A-Za-z0-9._:-]/g, '_').slice(0, 100);
	return clean === roomId ? clean : `${clean}_${hash(roomId).toString(36)}`;
}
