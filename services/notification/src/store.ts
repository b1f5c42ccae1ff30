import type { Alert, SensorValue } from '@crowdvision/contracts';
import type { Condition, RuleKind } from '@crowdvision/rules';
import type { StoreDefinition } from '@crowdvision/store';
import { RECIPIENT_COLLECTIONS } from './recipients/recipient-documents.ts';
import { DELIVERY_COLLECTIONS } from './recipients/row.ts';

/** What notification stores. The effects of a batch of readings are one commit: rooms, alerts, outbox. */
export const NOTIFICATION_STORE: StoreDefinition = {
	collections: {
		/** RoomDocument, by `roomKey`. */
		rooms: { indexes: { ofBuilding: { fields: ['buildingId', 'roomId'] } } },
		/** AlertDocument, by the alert's id. */
		alerts: {
			indexes: {
				ofBuilding: { fields: ['buildingId', 'number'] },
				openFirst: { fields: ['buildingId', 'standing', 'number'] },
				// If two processes ever open the same alert, the second commit is refused.
				onePerBreach: { fields: ['buildingId', 'roomId', 'kind'], unique: true, where: { standing: true } },
			},
		},
		/** OutboxDocument, by `outboxKey`: written with the change that it announces, removed afterwards. */
		outbox: {},
		/** PolicyDocument, by building id. */
		policies: { indexes: { ofBuilding: { fields: ['buildingId'] } } },
		/** CounterDocument. */
		counters: {},
		...DELIVERY_COLLECTIONS,
		...RECIPIENT_COLLECTIONS,
		/** Keys that are made at the first start, by `keptSecret`. */
		secrets: {},
		/** The lease of the leader. */
		leases: {},
	},
};

/** The latest value of one metric from one sensor, and the position of its reading in the stream. */
export interface Observation extends SensorValue {
	metric: string;
	position: string;
}

/** The latest values of a room's sensors, and the conditions of its rules. */
export interface RoomDocument {
	buildingId: string;
	/** A `generationKey`: each of the rooms that have had an id has its own document. */
	roomId: string;
	sensors: Observation[];
	conditions: (Condition & { kind: RuleKind })[];
}

export interface AlertDocument {
	/** Rises in the order in which alerts opened. */
	number: number;
	buildingId: string;
	/** A `generationKey`, so that an alert of an earlier room does not stand in the way. */
	roomId?: string;
	/** Of its room; absent for a room that an earlier version made. */
	generation?: string;
	kind: Alert['kind'];
	/** True for an unresolved alert that is not manual. */
	standing: boolean;
	/** Its last state. */
	alert: Alert;
	/** The id of an account. */
	acknowledgedBy?: string;
}

export interface OutboxDocument {
	alert: Alert;
}

/** The number of announcements so far. */
export interface CounterDocument {
	count: number;
}

/** @param roomId a `generationKey` */
export const roomKey = (buildingId: string, roomId: string) => `${buildingId}/${roomId}`;

/** The outbox is read in the order of its ids, which is the order of these numbers. */
export const outboxKey = (number: number) => String(number).padStart(16, '0');
