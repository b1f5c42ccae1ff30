import { once } from 'node:events';
import { SMTPServer } from 'smtp-server';

/** An e-mail as it arrived. */
export interface Received {
	from: string;
	to: string[];
	subject: string;
	/** With its angle brackets. */
	messageId: string;
	/** The URL of `List-Unsubscribe`; empty without one. */
	unsubscribe: string;
	/** Decoded. */
	text: string;
}

export interface MailServer {
	/** As SMTP_URL takes it. */
	readonly url: string;
	readonly mails: Received[];
	stop(): Promise<void>;
}

/** A real SMTP server on a free loopback port, without encryption and sign-in. */
export async function startMailServer(): Promise<MailServer> {
	const mails: Received[] = [];
	const server = new SMTPServer({
		authOptional: true,
		disabledCommands: ['STARTTLS', 'AUTH'],
		logger: false,
		onData: (stream, { envelope }, done) => {
			const chunks: Buffer[] = [];
			stream.on('data', (chunk: Buffer) => chunks.push(chunk));
			stream.on('end', () => {
				const { mailFrom, rcptTo } = envelope;
				mails.push({
					from: mailFrom === false ? '' : mailFrom.address,
					to: rcptTo.map(({ address }) => address),
					...parse(Buffer.concat(chunks).toString('utf8')),
				});
				done();
			});
		},
	});
	server.listen(0, '127.0.0.1');
	await once(server.server, 'listening');
	const { port } = server.server.address() as { port: number };
	return {
		url: `smtp://127.0.0.1:${port}`,
		mails,
		stop: () => new Promise((resolve) => server.close(() => resolve())),
	};
}

function parse(raw: string): Omit<Received, 'from' | 'to'> {
	const [, head = '', body = ''] = /^(.*?)\r\n\r\n(.*)$/s.exec(raw) ?? [];
	const quoted = /^content-transfer-encoding: quoted-printable$/im.test(head);
	const unfolded = head.replace(/\r\n[ \t]+/g, ' ');
	return {
		messageId: /^message-id: (.*)$/im.exec(unfolded)?.[1]?.trim() ?? '',
		unsubscribe: /^list-unsubscribe: *<(.*)>$/im.exec(unfolded)?.[1]?.replaceAll(' ', '') ?? '',
		subject: /^subject: (.*)$/im.exec(head)?.[1]?.trim() ?? '',
		text: (quoted ? fromQuotedPrintable(body) : body).trim(),
	};
}

function fromQuotedPrintable(text: string): string {
	const joined = text.replace(/=\r\n/g, '');
	const bytes = joined.replace(/=([0-9A-F]{2})/g, (_code, hex: string) =>
		String.fromCharCode(Number.parseInt(hex, 16)),
	);
	return Buffer.from(bytes, 'latin1').toString('utf8');
}
