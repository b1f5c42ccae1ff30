import { choice, integer, type Setting, text } from '@crowdvision/service-kit';

/**
 * Where a provider may stand that a domain's admin names: at public addresses, at private ones as well, or (for tests)
 * on loopback without TLS too.
 */
export const SSO_REACH = ['public', 'private', 'loopback'] as const;
export type SsoReach = (typeof SSO_REACH)[number];

/** Settings of auth alone. */
export const AUTH_SETTINGS = {
	AUTH_KEY: {
		...text(
			'secret that auth seals kept secrets with, the same in all of its replicas; generated into DATA_DIR if absent',
			undefined,
			'at least 32 characters',
			/^.{32,}$/s,
		),
		secret: true,
		inFile: true,
	},
	ADMINS: {
		means: 'accounts that are admins of the whole platform: their ids, as GET /auth/me tells them',
		default: undefined,
		allowed: 'account ids with commas between',
		parse: (value: string) => {
			const ids = value.split(',').map((id) => id.trim());
			return ids.every((id) => /^[0-9a-f-]{36}$/.test(id)) ? ids : undefined;
		},
	} satisfies Setting<string[]> & { default: undefined },
	PUBLIC_URL: text(
		'where browsers find this site; identity providers send them back there. By default what the request says',
		undefined,
		'a URL such as https://crowd.example, without a path',
		/^https?:\/\/[^\s/?#@]+$/,
	),
	SSO_REACH: choice(
		'where identity providers may stand: https at public addresses; private: at any; loopback: http on this machine too, for tests',
		'public',
		SSO_REACH,
	),
	JWT_KEY_DAYS: integer('with JWT_SIGNING=keypair: days after which another key signs', '90', 1, 3650),
} as const;
