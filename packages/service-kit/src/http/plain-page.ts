import type { Language } from '@crowdvision/contracts';
import type { Request, Response } from 'express';

/** A page for whoever opens a link from a message: text and at most one button, which posts to the link's own path. */
export interface PlainPage {
	language: Language;
	title: string;
	/** Paragraphs; as plain text. */
	text: readonly string[];
	button?: string;
}

const ESCAPES: Readonly<Record<string, string>> = {
	'&': '&amp;',
	'<': '&lt;',
	'>': '&gt;',
	'"': '&quot;',
	"'": '&#39;',
};
/** The text with what means something to HTML escaped, also for values of attributes in quotes. */
const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (character) => ESCAPES[character]!);

/**
 * Sends a page without script and style, so that it works under every Content-Security-Policy and without a session.
 */
export function sendPlainPage(response: Response, status: number, { language, title, text, button }: PlainPage): void {
	const paragraphs = text.map((one) => `<p>${escapeHtml(one)}</p>`).join('\n');
	const form = button === undefined ? '' : `\n<form method="post"><button>${escapeHtml(button)}</button></form>`;
	response
		.status(status)
		.set({
			'Cache-Control': 'no-store',
			'Content-Security-Policy': "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
			// The path holds a secret.
			'Referrer-Policy': 'no-referrer',
			'X-Content-Type-Options': 'nosniff',
			'X-Robots-Tag': 'noindex',
		})
		.type('html')
		.send(
			`<!doctype html>\n<html lang="${language}">\n<head><meta charset="utf-8"><title>${escapeHtml(title)}</title>\n` +
				'<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark"></head>\n' +
				`<body><main>\n<h1>${escapeHtml(title)}</h1>\n${paragraphs}${form}\n</main></body>\n</html>\n`,
		);
}

/** Whether the client of a request is a browser that shows what it gets, and not a program. */
export const wantsPage = (request: Request): boolean => request.accepts(['json', 'html']) === 'html';

/** The language in which a browser wants its pages; English unless it prefers Italian. */
export const languageOf = (request: Pick<Request, 'acceptsLanguages'>): Language =>
	request.acceptsLanguages(['en', 'it']) === 'it' ? 'it' : 'en';
