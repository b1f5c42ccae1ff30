import type { MetricLookup } from '@crowdvision/contracts';

/** The kinds of questions that can be answered. */
export type Intent =
	| 'least-crowded'
	| 'most-crowded'
	| 'how-many'
	| 'warmest'
	| 'coldest'
	| 'worst-air'
	| 'alerts'
	| 'metric'
	| 'unknown';
export type Language = 'en' | 'it';

export interface Question {
	intent: Intent;
	language: Language;
	/** With intent `metric`: the metric that is asked about, and whether its highest or lowest value is meant. */
	metric?: string;
	extreme?: 'highest' | 'lowest';
}

/** The patterns of each intent, in the order they are tried: specific ones first. */
const PATTERNS: [intent: Intent, en: RegExp, it: RegExp][] = [
	[
		'least-crowded',
		/\b(?:least|less) (?:crowded|busy|full|occupied|people)|\bemptiest|\bquietest|\bmost (?:free )?(?:space|room)\b/,
		/\bmeno (?:affollat|pien|occupat)|\bpiù (?:vuot|liber)/,
	],
	[
		'most-crowded',
		/\bmost (?:crowded|busy|full|occupied|people)|\bbusiest|\bfullest/,
		/\bpiù (?:affollat|pien|occupat)/,
	],
	['warmest', /\bwarmest|\bhottest|\bmost warm/, /\bpiù cald/],
	['coldest', /\bcoldest|\bcoolest/, /\bpiù fredd/],
	['worst-air', /\bworst air|\bstuff(?:y|iest)|\bair quality|\bco2\b|\bco₂/, /\baria\b|\bviziata/],
	['alerts', /\balerts?\b|\balarms?\b|\bwrong\b|\banomal/, /\ballarm|\bavvis|\banomali/],
	['how-many', /\bhow many|\bpeople in\b|\bnumber of people/, /\bquant[ei] person|\bpersone\b/],
];

const ITALIAN =
	/\b(?:qual|quale|quali|quante|quanti|stanza|stanze|aula|sala|dove|c'è|ci sono|meno|più|persone|allarmi|aria)\b/;

const HIGHEST = /\b(?:highest|most|maximum|più alt[aoie]|massim[aoie])\b/;
const LOWEST = /\b(?:lowest|least|minimum|più bass[aoie]|minim[aoie])\b/;

/**
 * Recognizes intent and language of a question by patterns, without a language model. A question that fits no other
 * intent and names a metric of the catalog is about that metric.
 */
export function understand(text: string, catalog: MetricLookup): Question {
	const lower = text.toLowerCase();
	const language: Language = ITALIAN.test(lower) ? 'it' : 'en';
	for (const [intent, en, it] of PATTERNS) if (en.test(lower) || it.test(lower)) return { intent, language };
	const metric = namedMetric(lower, catalog);
	if (metric === undefined) return { intent: 'unknown', language };
	const extreme = HIGHEST.test(lower) ? 'highest' : LOWEST.test(lower) ? 'lowest' : undefined;
	return { intent: 'metric', language: languageOf(lower, metric, catalog), metric, ...(extreme && { extreme }) };
}

/** The metric whose key or name a text contains as words of its own; of several, the one with the longest name. */
function namedMetric(lower: string, catalog: MetricLookup): string | undefined {
	const words = ` ${lower.replace(/[^\p{L}\p{N}._₂]+/gu, ' ')} `;
	const named = catalog.keys().flatMap((key) => {
		const { en, it } = catalog.describe(key).label;
		const names = [key, en, it].map((name) => name.toLowerCase()).filter((name) => words.includes(` ${name} `));
		return names.map((name) => ({ key, length: name.length }));
	});
	return named.toSorted((a, b) => b.length - a.length)[0]?.key;
}

/** Italian also for a question whose only Italian word is the metric's name: "tensione in hall?". */
function languageOf(lower: string, metric: string, catalog: MetricLookup): Language {
	const { en, it } = catalog.describe(metric).label;
	const isItalian = en !== it && lower.includes(it.toLowerCase()) && !lower.includes(en.toLowerCase());
	return isItalian || ITALIAN.test(lower) ? 'it' : 'en';
}
