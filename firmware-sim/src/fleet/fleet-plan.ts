import type { Transport } from '@crowdvision/contracts';
import type { SensorPlan } from '../device/device.ts';
import type { KindName } from '../kinds/index.ts';
import { hash } from '../random.ts';
import type { BuildingPlan } from '../world/building.ts';

/**
 * Which kinds of sensor a room has, and how each of them speaks. A room should have a door counter or a camera, not
 * both: two sensors would disagree.
 */
export type Assign = (room: BuildingPlan['rooms'][number], roomIndex: number) => Partial<Record<KindName, Transport>>;

/** A device and the sensors wired to it. */
export interface DevicePlan {
	deviceId: string;
	transport: Transport;
	sensors: SensorPlan[];
}

/**
 * Every room counts its people, by a door counter or by a camera in turn, and measures climate, CO2 and noise; the
 * transports take turns, shifted by one from room to room, so that each of them carries each kind of value.
 */
function inTurn(transports: readonly Transport[]): Assign {
	return (_room, roomIndex) => {
		const kinds: KindName[] = [roomIndex % 2 === 0 ? 'door' : 'camera', 'climate', 'co2', 'noise'];
		return Object.fromEntries(kinds.map((kind, index) => [kind, transports[(roomIndex + index) % transports.length]]));
	};
}

/**
 * Wires sensors to devices: one device for a serial line, one for each MQTT sensor (an MQTT connection has one last
 * will), one per room over HTTP and over Socket.IO. A sensor's id is `{room}-{kind}`.
 * @throws RangeError when there is no transport at all
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
 * A room's id may hold what a sensor's may not; one that had to be changed gets a mark, so that no two become the same.
 */
function idPart(roomId: string): string {
	const clean = roomId.replace(/[^A-Za-z0-9._:-]/g, '_').slice(0, 100);
	return clean === roomId ? clean : `${clean}_${hash(roomId).toString(36)}`;
}
