import { createHash } from 'node:crypto';
import { freshMs, type MetricKey, metricDefinition, type RetainedBuilding } from '@crowdvision/contracts';

/** One metric of one sensor, as Home Assistant is told of it. */
export interface Entity {
	sensorId: string;
	metric: string;
	buildingId: string;
	roomId: string;
	/** Whether the sensor was registered: when it is no more, it is removed. */
	registered: boolean;
	/** Whether it says that it comes and goes, on `status/{sensorId}`. */
	hasStatus: boolean;
	/** Epoch ms; to a day, as it is kept on disk. */
	heardAt: number;
}

interface Kind {
	device_class?: string;
	unit_of_measurement?: string;
	icon?: string;
}

/**
 * Device class and unit of each metric, as https://www.home-assistant.io/integrations/sensor/#device-class names them.
 * A metric that is not here is shown with its own unit.
 */
const KINDS: Partial<Record<MetricKey, Kind>> = {
	peopleCount: { icon: 'mdi:account-group' },
	temperature: { device_class: 'temperature', unit_of_measurement: '°C' },
	humidity: { device_class: 'humidity' },
	co2: { device_class: 'carbon_dioxide' },
	// With the Greek letter, as Home Assistant writes it.
	pm25: { device_class: 'pm25', unit_of_measurement: 'μg/m³' },
	pm10: { device_class: 'pm10', unit_of_measurement: 'μg/m³' },
	voc: { device_class: 'volatile_organic_compounds_parts' },
	// An index has no unit there.
	iaqi: { device_class: 'aqi', unit_of_measurement: '' },
	illuminance: { device_class: 'illuminance' },
	noise: { device_class: 'sound_pressure' },
	pressure: { device_class: 'atmospheric_pressure' },
	battery: { device_class: 'battery' },
};

/** A name of letters, digits, `_` and `-`. One that had to be changed gets a mark, so that no two become the same. */
function plain(name: string): string {
	const clean = name.replace(/[^A-Za-z0-9_-]/g, '_').slice(0, 64);
	return clean === name ? clean : `${clean}_${createHash('sha256').update(name).digest('hex').slice(0, 8)}`;
}

/** The same in every building and room: Home Assistant keeps its history by it. */
export const uniqueId = (gatewayId: string, { sensorId, metric }: Pick<Entity, 'sensorId' | 'metric'>) =>
	`crowdvision_${plain(gatewayId)}_${plain(sensorId)}_${plain(metric)}`;

export const configTopic = (prefix: string, unique: string) => `${prefix}/sensor/${unique}/config`;
export const stateTopic = (prefix: string, unique: string) => `${prefix}/sensor/${unique}/state`;

/** The discovery message of an entity (https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery). */
export function discoveryOf(
	entity: Entity,
	gatewayId: string,
	prefix: string,
	building: RetainedBuilding | undefined,
): object {
	const { sensorId, metric, roomId, hasStatus } = entity;
	const definition = metricDefinition(metric);
	const { device_class, unit_of_measurement = definition?.unit, icon } = KINDS[metric as MetricKey] ?? {};
	const unique = uniqueId(gatewayId, entity);
	const state_topic = stateTopic(prefix, unique);
	return {
		name: definition?.label.en ?? metric,
		unique_id: unique,
		state_topic,
		value_template: '{{ value_json.value }}',
		json_attributes_topic: state_topic,
		json_attributes_template: '{{ value_json.attributes | tojson }}',
		...(device_class && { device_class }),
		...(unit_of_measurement && { unit_of_measurement }),
		...(icon && { icon }),
		state_class: 'measurement',
		suggested_display_precision: definition?.decimals ?? 0,
		// What is older is unavailable there as it is grey here, whoever of device, gateway and network is silent.
		expire_after: Math.round(freshMs(metric) / 1000),
		...(hasStatus && { availability: [{ topic: `status/${sensorId}` }] }),
		device: {
			identifiers: [`crowdvision_${plain(gatewayId)}_${plain(sensorId)}`],
			name: sensorId,
			manufacturer: 'CrowdVision',
			model: `Sensor behind the gateway ${gatewayId}`,
			suggested_area: building?.rooms.find(({ id }) => id === roomId)?.name ?? roomId,
		},
		origin: { name: 'CrowdVision' },
	};
}
