/** The discovery messages by which Home Assistant learns about sensors. */
import { createHash } from 'node:crypto';
import { holdMs, type MetricKey, type MetricLookup, type RetainedBuilding } from '@crowdvision/contracts';

/** One metric of one sensor, which Home Assistant calls an entity. */
export interface Entity {
	sensorId: string;
	/** The sensor in the names that others know it by, where that is not its id: see TenantTopics. */
	knownAs?: string;
	/** How people call the sensor, where its id does not say it. */
	name?: string;
	metric: string;
	buildingId: string;
	roomId: string;
	/** Whether the sensor was registered. If it no longer is, the entity is removed. */
	registered: boolean;
	/** Whether its topic below `status/` says if the sensor is online. */
	hasStatus: boolean;
	/** When its last reading was received, epoch ms, exact to a day. The name is that of the file on disk. */
	heardAt: number;
	/** How long its value counts as current, in ms. */
	freshFor?: number;
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
	// With the Greek letter mu, as in Home Assistant.
	pm25: { device_class: 'pm25', unit_of_measurement: 'μg/m³' },
	pm10: { device_class: 'pm10', unit_of_measurement: 'μg/m³' },
	voc: { device_class: 'volatile_organic_compounds_parts' },
	// An index has no unit in Home Assistant.
	iaqi: { device_class: 'aqi', unit_of_measurement: '' },
	illuminance: { device_class: 'illuminance' },
	noise: { device_class: 'sound_pressure' },
	pressure: { device_class: 'atmospheric_pressure' },
	battery: { device_class: 'battery' },
};

/** Device classes of configured metrics, by units in which only one quantity is measured. */
const CLASS_OF_UNIT: Readonly<Record<string, string>> = {
	V: 'voltage',
	mV: 'voltage',
	A: 'current',
	mA: 'current',
	W: 'power',
	kW: 'power',
	Wh: 'energy',
	kWh: 'energy',
	Hz: 'frequency',
	mm: 'distance',
	cm: 'distance',
	m: 'distance',
	km: 'distance',
};

function kindOfUnit(unit: string): Kind {
	return Object.hasOwn(CLASS_OF_UNIT, unit) ? { device_class: CLASS_OF_UNIT[unit]! } : {};
}

/** A name with only letters, digits, `_` and `-`. A changed name gets a hash, so that no two names become equal. */
function plain(name: string): string {
	const clean = name.replace(/[^A-Za-z0-9_-]/g, '_').slice(0, 64);
	return clean === name ? clean : `${clean}_${createHash('sha256').update(name).digest('hex').slice(0, 8)}`;
}

/** The id of an entity. It does not depend on building and room, as Home Assistant keeps the history by it. */
export const uniqueId = (
	gatewayId: string,
	{ sensorId, knownAs = sensorId, metric }: Pick<Entity, 'sensorId' | 'knownAs' | 'metric'>,
) => `crowdvision_${plain(gatewayId)}_${plain(knownAs)}_${plain(metric)}`;

/** Topic of an entity's discovery message. */
export const configTopic = (prefix: string, unique: string) => `${prefix}/sensor/${unique}/config`;
/** Topic of an entity's values. */
export const stateTopic = (prefix: string, unique: string) => `${prefix}/sensor/${unique}/state`;

/** The discovery message of an entity (https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery). */
export function discoveryOf(
	entity: Entity,
	gatewayId: string,
	prefix: string,
	building: RetainedBuilding | undefined,
	catalog: MetricLookup,
): object {
	const { sensorId, knownAs = sensorId, name, metric, roomId, hasStatus, freshFor } = entity;
	const definition = catalog.describe(metric);
	const {
		device_class,
		unit_of_measurement = definition.unit,
		icon,
	} = KINDS[metric as MetricKey] ?? kindOfUnit(definition.unit);
	const unique = uniqueId(gatewayId, entity);
	const state_topic = stateTopic(prefix, unique);
	return {
		name: definition.label.en,
		unique_id: unique,
		state_topic,
		value_template: '{{ value_json.value }}',
		json_attributes_topic: state_topic,
		json_attributes_template: '{{ value_json.attributes | tojson }}',
		...(device_class && { device_class }),
		...(unit_of_measurement && { unit_of_measurement }),
		...(icon && { icon }),
		state_class: 'measurement',
		suggested_display_precision: definition.decimals,
		// An older value is unavailable, as it is stale in the dashboard, whether device, gateway or network is silent.
		expire_after: Math.round(holdMs(metric, freshFor) / 1000),
		...(hasStatus && { availability: [{ topic: `status/${knownAs}` }] }),
		device: {
			identifiers: [`crowdvision_${plain(gatewayId)}_${plain(knownAs)}`],
			name: name ?? sensorId,
			manufacturer: 'CrowdVision',
			model: `Sensor behind the gateway ${gatewayId}`,
			suggested_area: building?.rooms.find(({ id }) => id === roomId)?.name ?? roomId,
		},
		origin: { name: 'CrowdVision' },
	};
}
