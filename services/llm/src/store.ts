import type { Alert, Answer, SensorValue } from '@crowdvision/contracts';
import type { StoreDefinition } from '@crowdvision/store';

/** What llm stores: the latest values of rooms, the log of alerts, and conversations. */
export const LLM_STORE: StoreDefinition = {
	collections: {
		/** RoomDocument, by `<building>/<room>[/<generation>]`. */
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

/** The latest value of one metric from one sensor of a room. */
export interface LatestOfRoom extends SensorValue {
	roomId: string;
	metric: string;
}

export interface RoomDocument {
	buildingId: string;
	/** A `generationKey`: each of the rooms that have had an id has its own document. */
	roomId: string;
	sensors: Omit<LatestOfRoom, 'roomId'>[];
}

/** An alert as last announced. */
export type AnomalyDocument = Pick<
	Alert,
	'id' | 'buildingId' | 'roomId' | 'kind' | 'state' | 'value' | 'limit' | 'observedAt' | 'message' | 'generation'
>;

/** The number of stored alerts. */
export interface CounterDocument {
	count: number;
}

/** A question and its answer. */
export interface Turn extends Answer {
	/** Epoch ms. */
	at: number;
	question: string;
	/**
	 * The buildings that the answer speaks of, as `generationKey`s: it is shown only while the account may see all of
	 * them, and not others that have their ids now.
	 */
	buildings: string[];
}

/** The last turns of a conversation. Times are epoch ms. */
export interface ConversationDocument {
	accountId: string;
	startedAt: number;
	updatedAt: number;
	turns: Turn[];
}
