import { CrowdVisionError } from '@crowdvision/contracts';
import type { Logger } from '../logger.ts';
import { type readSettings, type Setting, text } from '../process/settings.ts';

/** The settings of the mail that a service sends. */
export const MAIL_SETTINGS = {
	SMTP_URL: {
		means:
			'mail server, as smtps://user:password@mail.example.org or smtp://localhost:25; without it no e-mails are sent',
		default: undefined,
		allowed: 'a URL that begins with smtp:// or smtps://',
		secret: true,
		inFile: true,
		parse: (value: string) =>
			URL.canParse(value) && /^smtps?:$/.test(new URL(value).protocol) && new URL(value).hostname !== ''
				? value
				: undefined,
	} satisfies Setting<string> & { default: undefined },
	MAIL_FROM: text(
		'sender of e-mails, as crowdvision@example.org or CrowdVision <crowdvision@example.org>',
		'CrowdVision <crowdvision@localhost>',
		'an e-mail address, or a name with one in angle brackets',
		/^(?:[^<>\r\n@]*<[^\s<>@]+@[^\s<>@]+>|[^\s<>@]+@[^\s<>@]+)$/,
	),
} as const;
export type MailSettings = ReturnType<typeof readSettings<typeof MAIL_SETTINGS>>;

/** An e-mail of plain text. */
export interface Mail {
	to: string;
	subject: string;
	text: string;
	/** In angle brackets; default: a new one. */
	messageId?: string;
	headers?: Readonly<Record<string, string>>;
}

/** How long the mail server may take to answer, in ms. */
const PATIENCE_MS = 10_000;

/** Sends e-mails through the mail server of SMTP_URL, one connection at a time. */
export class Mailer {
	readonly #settings: { url: string; from: string };
	readonly #logger: Logger;
	#transport: Promise<Transport> | undefined;

	/** Undefined without SMTP_URL. */
	static of({ SMTP_URL, MAIL_FROM }: MailSettings, logger: Logger): Mailer | undefined {
		return SMTP_URL === undefined ? undefined : new Mailer({ url: SMTP_URL, from: MAIL_FROM }, logger);
	}

	constructor(settings: { url: string; from: string }, logger: Logger) {
		this.#settings = settings;
		this.#logger = logger;
	}

	/**
	 * Resolves when the mail server has accepted the e-mail.
	 * @throws CrowdVisionError `unavailable` when it does not; `cause` and the log say why
	 */
	async send(mail: Mail): Promise<void> {
		try {
			this.#transport ??= openTransport(this.#settings.url);
			const { headers, ...rest } = mail;
			await (await this.#transport).sendMail({
				from: this.#settings.from,
				...rest,
				...(headers && { headers: { ...headers } }),
			});
		} catch (error) {
			this.#logger.error({ err: error, subject: mail.subject }, 'an e-mail could not be sent');
			const refusal = new CrowdVisionError(
				...(['unavailable', 'The mail server does not accept e-mails at the moment', {}, 60] as const),
			);
			refusal.cause = error;
			throw refusal;
		}
	}

	async close(): Promise<void> {
		(await this.#transport?.catch(() => undefined))?.close();
	}
}

type Transport = Awaited<ReturnType<typeof openTransport>>;

/** Loaded with the first e-mail: most processes never send one. */
async function openTransport(url: string) {
	const { createTransport } = await import('nodemailer');
	return createTransport({
		url,
		pool: true,
		maxConnections: 1,
		connectionTimeout: PATIENCE_MS,
		greetingTimeout: PATIENCE_MS,
		socketTimeout: PATIENCE_MS,
		disableFileAccess: true,
		disableUrlAccess: true,
	});
}
