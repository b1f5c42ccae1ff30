import type { Alert, Language, MetricLookup } from '@crowdvision/contracts';
import type { BuildingDirectory, Site } from '@crowdvision/service-kit';
import { type AlertText, alertText } from './alert-text.ts';

/** A message with its links, for any channel. */
export interface Message {
	text: AlertText;
	/** The alert on the page. */
	url: string;
	/** A link by which whoever opens it acknowledges; absent once there is nothing to acknowledge. */
	act?: string;
}

export interface Audience {
	language: Language;
	by?: string | undefined;
	/** Where the reader finds this installation, unless PUBLIC_URL says it. */
	site: string;
	/** Whoever acts by the link: one of the two. */
	accountId?: string;
	webhook?: string;
}

export interface MessagesParts {
	directory: Pick<BuildingDirectory, 'get' | 'room'>;
	catalog: MetricLookup;
	site: Site;
	/** The token of a one-time link. */
	tokenFor: (alertId: string, actor: { accountId?: string; webhook?: string }) => string;
}

/** Says what alerts are, to whoever is told of them. */
export class Messages {
	readonly #parts: MessagesParts;

	constructor(parts: MessagesParts) {
		this.#parts = parts;
	}

	of(alert: Alert, { language, by, site, accountId, webhook }: Audience): Message {
		const { directory, catalog, tokenFor } = this.#parts;
		const { buildingId, roomId } = alert;
		const building = buildingId === undefined ? undefined : directory.get(buildingId);
		const room = buildingId === undefined || roomId === undefined ? undefined : directory.room(buildingId, roomId);
		const base = this.#parts.site.publicUrl ?? site;
		const actor = { ...(accountId !== undefined && { accountId }), ...(webhook !== undefined && { webhook }) };
		const isOpen = alert.state === 'open' || alert.state === 'escalated';
		return {
			text: alertText(alert, { language, building, room, by, catalog }),
			url: `${base}/alerts/${encodeURIComponent(alert.id)}`,
			...(isOpen && { act: `${base}/notification/act/${tokenFor(alert.id, actor)}` }),
		};
	}
}
