import type { Alert, MetricKey, SensorValue } from '@crowdvision/contracts';
import type { StoreDefinition } from '@crowdvision/store';

/** What llm keeps: what it knows of rooms and alerts, and what was asked. */
export const LLM_STORE: StoreDefinition = {
	collections: {
		/** RoomDocument, by `<building>/<room>`. */
		rooms: { indexes: { ofBuilding: { fields: ['buildingId', 'roomId'] } } },
		/** AnomalyDocument, by the alert's id. */
		anomalies: {
			indexes: { ofBuilding: { fields: ['buildingId', 'observedAt'] }, oldest: { fields: ['observedAt'] } },
		},
		/** CounterDocument. */
		counters: {},
		/** ConversationDocument. */
		conversations: { indexes: { ofAccount: { fields: ['accountId', 'updatedAt'] } } },
	},
};

/** What one sensor of a room said last of one metric. */
export interface LatestOfRoom extends SensorValue {
	roomId: string;
	metric: MetricKey;
}

export interface RoomDocument {
	buildingId: string;
	roomId: string;
	sensors: Omit<LatestOfRoom, 'roomId'>[];
}

/** An alert as it was announced last. */
export type AnomalyDocument = Pick<
	Alert,
	'id' | 'buildingId' | 'roomId' | 'kind' | 'state' | 'value' | 'limit' | 'observedAt' | 'message'
>;

export interface CounterDocument {
	count: number;
}

export interface Citation {
	id: string;
	kind: 'room' | 'alert';
	label: string;
}

export interface Answer {
	answer: string;
	citations: Citation[];
	/** False when it rests on nothing that was measured. */
	grounded: boolean;
}

/** A question and its answer. `buildings`: those the answer cites; it is shown to whoever may still see all of them. */
export interface Turn extends Answer {
	/** Epoch ms. */
	at: number;
	question: string;
	buildings: string[];
}

/** Times are epoch ms. */
export interface ConversationDocument {
	accountId: string;
	startedAt: number;
	updatedAt: number;
	turns: Turn[];
}
