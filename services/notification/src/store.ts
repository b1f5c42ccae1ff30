import type { Alert, MetricKey, SensorValue } from '@crowdvision/contracts';
import type { StoreDefinition } from '@crowdvision/store';

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

/** The metric that a rule limits, or `occupancy` for the room's capacity. */
export type RuleKind = Exclude<Alert['kind'], 'manual'>;

export type Side = 'max' | 'min';

/** Where a rule stands in a room: all is well; outside its limits, but not for long enough yet; an alert is open. */
export interface Condition {
	phase: 'clear' | 'breach' | 'open';
	/** When the breach began. */
	since: number | null;
	/** The side it was last seen on. */
	side: Side | null;
	/** Time of the newest observation that was looked at. */
	seenAt: number;
	/** The alert, while one is open. */
	alertId: string | null;
}

/** What the sensors of a room said last, and where its rules stand. */
export interface RoomDocument {
	buildingId: string;
	roomId: string;
	sensors: Observation[];
	conditions: (Condition & { kind: RuleKind })[];
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
