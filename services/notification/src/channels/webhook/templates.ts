/** What a webhook sends: a body and headers per template, as each receiver documents it. */
import type { Alert, NewWebhookRequest } from '@crowdvision/contracts';
import type { AlertText } from '../../texts/alert-text.ts';

export interface WebhookMessage {
	/** Of the row: the same at every attempt. */
	key: string;
	alert: Alert;
	text: AlertText;
	/** The alert on the page. */
	url: string;
	/** A link by which whoever opens it acknowledges; absent once there is nothing to acknowledge. */
	act?: string;
}

export interface RenderedWebhook {
	headers: Record<string, string>;
	body: string;
}

type Template = NewWebhookRequest['template'];

const JSON_TYPE = { 'content-type': 'application/json' };
const json = (value: unknown): RenderedWebhook => ({ headers: JSON_TYPE, body: JSON.stringify(value) });

/** The request that a template makes of a message. `standard` is signed by whoever sends it. */
export function renderWebhook(template: Template, target: string, message: WebhookMessage): RenderedWebhook {
	return RENDER[template](message, target);
}

const ACKNOWLEDGE = 'Acknowledge';
const OPEN = 'Open CrowdVision';

const RENDER: Readonly<Record<Template, (message: WebhookMessage, target: string) => RenderedWebhook>> = {
	standard: ({ alert, text, url, act }) =>
		json({
			type: `alert.${alert.state}`,
			timestamp: new Date(alert.observedAt).toISOString(),
			data: { alert, text, url, ...(act !== undefined && { act }) },
		}),
	// Slack's Block Kit; `text` is what a notification shows.
	slack: ({ text, url, act }) =>
		json({
			text: `${text.title}: ${text.body}`,
			blocks: [
				{ type: 'section', text: { type: 'mrkdwn', text: `*${slackText(text.title)}*\n${slackText(text.body)}` } },
				{
					type: 'actions',
					elements: [
						{ type: 'button', text: { type: 'plain_text', text: OPEN }, url },
						...(act === undefined
							? []
							: [{ type: 'button', text: { type: 'plain_text', text: ACKNOWLEDGE }, url: act }]),
					],
				},
			],
		}),
	// A workflow of Teams that starts at a webhook posts an Adaptive Card.
	teams: ({ text, url, act }) =>
		json({
			type: 'message',
			attachments: [
				{
					contentType: 'application/vnd.microsoft.card.adaptive',
					contentUrl: null,
					content: {
						$schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
						type: 'AdaptiveCard',
						version: '1.4',
						body: [
							{ type: 'TextBlock', text: text.title, weight: 'Bolder', size: 'Medium', wrap: true },
							{ type: 'TextBlock', text: text.body, wrap: true },
						],
						actions: [
							{ type: 'Action.OpenUrl', title: OPEN, url },
							...(act === undefined ? [] : [{ type: 'Action.OpenUrl', title: ACKNOWLEDGE, url: act }]),
						],
					},
				},
			],
		}),
	// The topic is the URL; the page behind the link asks before it acts.
	ntfy: ({ alert, text, url, act }) => ({
		headers: {
			'content-type': 'text/plain; charset=utf-8',
			title: encodedWord(text.title),
			priority: alert.state === 'resolved' ? '2' : NTFY_PRIORITY[alert.severity],
			tags: alert.state === 'resolved' || alert.state === 'acknowledged' ? 'white_check_mark' : 'warning',
			click: url,
			...(act !== undefined && { actions: `http, ${ACKNOWLEDGE}, ${act}, method=POST, clear=true` }),
		},
		body: text.body,
	}),
	// `sendMessage` of the Bot API; the chat is a parameter of the URL.
	telegram: ({ text, url, act }, target) =>
		json({
			chat_id: new URL(target).searchParams.get('chat_id') ?? undefined,
			text: `${text.title}\n${text.body}`,
			link_preview_options: { is_disabled: true },
			reply_markup: {
				inline_keyboard: [
					[{ text: OPEN, url }, ...(act === undefined ? [] : [{ text: ACKNOWLEDGE, url: act }])].filter((button) =>
						// Telegram refuses a whole message for a button that leads to this machine.
						isReachable(button.url),
					),
				],
			},
		}),
};

const NTFY_PRIORITY = { info: '3', warning: '4', critical: '5' } as const;

/** Slack's control characters (its own escapes, not HTML's). */
const slackText = (text: string) => text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');

/** Headers hold ASCII only; anything else goes as RFC 2047 says. */
const encodedWord = (text: string) =>
	/^[\x20-\x7e]*$/.test(text) ? text : `=?UTF-8?B?${Buffer.from(text).toString('base64')}?=`;

function isReachable(url: string): boolean {
	const { hostname } = new URL(url);
	return hostname.includes('.') && !/^127\./.test(hostname);
}
