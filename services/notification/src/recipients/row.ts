/** The rows of deliveries: one per alert, state, channel and recipient. */
import { createHash } from 'node:crypto';
import type { Alert, DeliveryChannel, DeliveryReason, DeliveryStatus } from '@crowdvision/contracts';
import type { StoreDefinition } from '@crowdvision/store';

/** Why a row was not delivered; `detail` are the words of the provider, or the id of the alert that covers it. */
export interface Reason {
	code: DeliveryReason;
	detail?: string;
}

/** A message as it was decided, before it is stored. */
export interface PlannedRow {
	alert: Alert;
	channel: DeliveryChannel;
	/** The account, `account/device`, or the id of the webhook. */
	recipient: string;
	/** Absent for a webhook. */
	accountId?: string;
	/** Whose preference or webhook it follows. */
	domainName: string;
	/** Name of the person who acknowledged, assigned or closed. */
	by?: string;
	status: 'pending' | 'suppressed';
	reason?: Reason;
}

/** Id: `rowKey`. Times are epoch ms. */
export interface DeliveryDocument extends Omit<PlannedRow, 'status'> {
	alertId: string;
	status: DeliveryStatus;
	/** When it was decided. */
	at: number;
	/** When it is to be tried next; of a settled row, when it was settled. */
	due: number;
	attempts: number;
	/** The process that tried it last. */
	claim?: string;
	/** Since when it is tried: set back when a dead letter is sent again. */
	since: number;
}

/** How many rows were decided for a state of an alert. Id: `${alertId} ${state}`. */
export interface PlanDocument {
	alertId: string;
	rows: number;
	at: number;
}

export const DELIVERY_COLLECTIONS: StoreDefinition['collections'] = {
	deliveries: {
		indexes: {
			due: { fields: ['channel', 'status', 'due'] },
			ofAlert: { fields: ['alertId', 'at'] },
			ofDomain: { fields: ['domainName', 'status', 'at'] },
			at: { fields: ['at'] },
		},
	},
	plans: { indexes: { at: { fields: ['at'] } } },
};

/**
 * The id of a row, which goes out with every attempt: 32 characters of base64url, as much as the `Topic` of a push
 * message takes (RFC 8030).
 */
export function rowKey(
	row: Pick<PlannedRow, 'channel' | 'recipient'> & { alert: Pick<Alert, 'id' | 'state'> },
): string {
	const parts = [row.alert.id, row.alert.state, row.channel, row.recipient];
	return createHash('sha256').update(JSON.stringify(parts)).digest('base64url').slice(0, 32);
}

/** What comes later in the life of an alert outdates what comes before. */
const RANKS: Readonly<Record<Alert['state'], number>> = { open: 0, escalated: 1, acknowledged: 2, resolved: 3 };

/** Why a message to a person about `state` says nothing new once the alert is in state `now`; undefined before. */
export function outdatedBy(state: Alert['state'], now: Alert['state']): Reason | undefined {
	if ((now !== 'acknowledged' && now !== 'resolved') || RANKS[now] <= RANKS[state]) return undefined;
	return { code: now };
}
