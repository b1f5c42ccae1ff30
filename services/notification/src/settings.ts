import { MAIL_SETTINGS, OUTBOUND_SETTINGS, type readSettings, type Setting, text } from '@crowdvision/service-kit';

/** The settings of notification, beside those that every process has. */
export const NOTIFICATION_SETTINGS = {
	...MAIL_SETTINGS,
	...OUTBOUND_SETTINGS,
	VAPID_PUBLIC_KEY: text(
		'public key by which push services know this installation (with VAPID_PRIVATE_KEY); made and kept if absent',
		undefined,
		'87 characters of base64url: an uncompressed P-256 point',
		/^[A-Za-z0-9_-]{87}$/,
	),
	VAPID_PRIVATE_KEY: {
		...text('private key of VAPID_PUBLIC_KEY', undefined, '43 characters of base64url', /^[A-Za-z0-9_-]{43}$/),
		secret: true,
		inFile: true,
	},
	VAPID_SUBJECT: {
		means: 'where push services reach whoever runs this: mailto:… or https://…; default: the address of MAIL_FROM',
		default: undefined,
		allowed: 'a URL that begins with mailto: or https://',
		parse: (value: string) => (/^(mailto:|https:\/\/)/.test(value) && URL.canParse(value) ? value : undefined),
	} satisfies Setting<string> & { default: undefined },
} as const;

export type NotificationSettings = ReturnType<typeof readSettings<typeof NOTIFICATION_SETTINGS>>;
