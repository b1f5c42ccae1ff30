/** What a message about an alert says, in the language of whoever reads it. */
import {
	type Alert,
	type Language,
	type MetricLookup,
	metricName,
	quantity,
	type RetainedBuilding,
	type RetainedRoom,
} from '@crowdvision/contracts';

export interface AlertText {
	/** Short: how bad it is, and where. */
	title: string;
	/** One sentence. */
	body: string;
}

export interface TextContext {
	language: Language;
	building?: Pick<RetainedBuilding, 'name'> | undefined;
	room?: Pick<RetainedRoom, 'name'> | undefined;
	/** Who acknowledged it. */
	by?: string | undefined;
	catalog: MetricLookup;
}

const WORDS = {
	en: {
		severity: { info: 'Notice', warning: 'Warning', critical: 'Critical' },
		escalated: 'Nobody has reacted yet',
		acknowledged: 'Taken care of',
		resolved: 'Over',
		has: (by: string) => `${by} has it`,
		somebody: 'Somebody has it',
	},
	it: {
		severity: { info: 'Avviso', warning: 'Attenzione', critical: 'Critico' },
		escalated: 'Nessuno ha ancora risposto',
		acknowledged: 'Preso in carico',
		resolved: 'Finito',
		has: (by: string) => `Se ne occupa ${by}`,
		somebody: 'Qualcuno se ne occupa',
	},
} as const;

/** Title and sentence of a message about an alert in its state. */
export function alertText(alert: Alert, context: TextContext): AlertText {
	const { language, building, by } = context;
	const words = WORDS[language];
	const state = alert.state === 'open' ? words.severity[alert.severity] : words[alert.state];
	const sentence = sentenceOf(alert, context);
	const acknowledged = by === undefined ? words.somebody : words.has(by);
	return {
		title: building ? `${state}: ${building.name}` : state,
		body: alert.state === 'acknowledged' ? `${acknowledged}. ${sentence}` : sentence,
	};
}

/** The alert's own message is English; where its parts say it all, Italian is made of them. */
function sentenceOf(alert: Alert, { language, room, catalog }: TextContext): string {
	const { kind, value, limit, state, message } = alert;
	const metric = kind === 'occupancy' ? 'peopleCount' : kind;
	if (
		language === 'en' ||
		!room ||
		value === undefined ||
		limit === undefined ||
		catalog.describe(metric).label.it === undefined
	)
		return message;
	const name = metric === 'peopleCount' ? '' : `${metricName(metric, catalog, language)} `;
	const shown = metric === 'peopleCount' ? limit.toLocaleString('it') : quantity(metric, limit, 'it', catalog);
	const outcome =
		state === 'resolved'
			? `di nuovo entro il limite di ${shown}`
			: `${value < limit ? 'sotto' : 'sopra'} il limite di ${shown}`;
	return `${room.name}: ${name}${quantity(metric, value, 'it', catalog)}, ${outcome}`;
}
