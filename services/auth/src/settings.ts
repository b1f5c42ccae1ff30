import { choice, integer, MAIL_SETTINGS, type readSettings, type Setting, text } from '@crowdvision/service-kit';

/**
 * Where the identity provider that a domain's admin names may be: at public addresses, also at private ones, or (for
 * tests) also on loopback without TLS.
 */
const SSO_REACH = ['public', 'private', 'loopback'] as const;
export type SsoReach = (typeof SSO_REACH)[number];

/** The settings of auth, beside those that every process has. */
export const AUTH_SETTINGS = {
	AUTH_KEY: {
		...text(
			'secret that encrypts the secrets auth stores, the same in all its replicas; generated into DATA_DIR if absent',
			undefined,
			'at least 32 characters',
			/^.{32,}$/s,
		),
		secret: true,
		inFile: true,
	},
	ADMINS: {
		means: 'accounts that administer the whole platform: their ids, as GET /auth/me returns them',
		default: undefined,
		allowed: 'account ids separated by commas',
		parse: (value: string) => {
			const ids = value.split(',').map((id) => id.trim());
			return ids.every((id) => /^[0-9a-f-]{36}$/.test(id)) ? ids : undefined;
		},
	} satisfies Setting<string[]> & { default: undefined },
	SSO_REACH: choice(
		'where identity providers may be: public (https, public addresses), private (https, any address), loopback (tests)',
		'public',
		SSO_REACH,
	),
	...MAIL_SETTINGS,
	JWT_KEY_DAYS: integer('with JWT_SIGNING=keypair: days after which a new key signs', '90', 1, 3650),
} as const;

export type AuthSettings = ReturnType<typeof readSettings<typeof AUTH_SETTINGS>>;
