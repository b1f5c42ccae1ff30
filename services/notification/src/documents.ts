import type { Alert, MetricKey, SensorValue } from '@crowdvision/contracts';
import type { StoreDefinition } from '@crowdvision/store';
import type { Condition, Rule } from './rules.ts';

/** What notification keeps. A batch of readings is one commit: { rooms, alerts, outbox }. */
export const NOTIFICATION_STORE: StoreDefinition = {
	collections: {
		/** RoomDocument, by `roomKey`. */
		rooms: { indexes: { ofBuilding: { fields: ['buildingId', 'roomId'] } } },
		/** AlertDocument, by the alert's id. */
		alerts: {
			indexes: {
				ofBuilding: { fields: ['buildingId', 'number'] },
				// Should two ever decide the same: the second one's commit is refused.
				onePerBreach: { fields: ['buildingId', 'roomId', 'kind'], unique: true, where: { standing: true } },
			},
		},
		/** OutboxDocument, by `outboxKey`: written with the change it tells of, removed when it was announced. */
		outbox: {},
		/** CounterDocument. */
		counters: {},
		/** Who of the replicas is on duty. */
		leases: {},
	},
};

/** What a sensor said, and where in the stream. */
export interface Observation extends SensorValue {
	metric: MetricKey;
	position: string;
}

/** What the sensors of a room said last, and where its rules stand. */
export interface RoomDocument {
	buildingId: string;
	roomId: string;
	sensors: Observation[];
	conditions: (Condition & { kind: Rule['kind'] })[];
}

export interface AlertDocument {
	/** Alerts are counted in the order they came to be. */
	number: number;
	buildingId: string;
	roomId?: string;
	kind: Alert['kind'];
	/** True from the opening of a breach to its end. */
	standing: boolean;
	/** As announced last. */
	alert: Alert;
	/** Account id. */
	acknowledgedBy?: string;
}

export interface OutboxDocument {
	alert: Alert;
}

/** How many there have been. */
export interface CounterDocument {
	count: number;
}

/** No id of a place has a slash. */
export const roomKey = (buildingId: string, roomId: string) => `${buildingId}/${roomId}`;

/** Announcements are in the order of their ids, and so of their numbers. */
export const outboxKey = (number: number) => String(number).padStart(16, '0');
