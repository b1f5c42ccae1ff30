/** The kinds of questions that can be answered. */
export type Intent =
	| 'least-crowded'
	| 'most-crowded'
	| 'how-many'
	| 'warmest'
	| 'coldest'
	| 'worst-air'
	| 'alerts'
	| 'unknown';
export type Language = 'en' | 'it';

export interface Question {
	intent: Intent;
	language: Language;
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

/** Recognizes intent and language of a question by patterns, without a language model. */
export function understand(text: string): Question {
	const lower = text.toLowerCase();
	const language: Language = ITALIAN.test(lower) ? 'it' : 'en';
	for (const [intent, en, it] of PATTERNS) if (en.test(lower) || it.test(lower)) return { intent, language };
	return { intent: 'unknown', language };
}
