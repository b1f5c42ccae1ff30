import Type, { type Static } from 'typebox';
import { validator } from '../validator.ts';
import { GivenPassword, NewPassword } from './auth-requests.ts';

/** Bodies of the requests by which people get back into an account, or leave it. */

const closed = { additionalProperties: false };

/** `GET /auth/recovery`; `mail`: whether a forgotten password can be replaced by a link in an e-mail. */
export const RecoveryView = Type.Object({ mail: Type.Boolean() });
export type RecoveryView = Static<typeof RecoveryView>;

/** `POST /auth/password/forgotten` */
export const ForgottenPassword = Type.Object({ email: Type.String({ minLength: 1, maxLength: 254 }) }, closed);
export const forgottenPassword = validator(ForgottenPassword);

/** `POST /auth/password/reset`; `token` is what the link holds after `#reset=`. */
export const PasswordReset = Type.Object(
	{ token: Type.String({ minLength: 1, maxLength: 200 }), newPassword: NewPassword },
	closed,
);
export const passwordReset = validator(PasswordReset);

/** `POST /auth/domains/{name}/members/{accountId}/password-reset`; `expiresAt` in epoch ms. */
export const ResetLink = Type.Object({ url: Type.String(), expiresAt: Type.Number() });
export type ResetLink = Static<typeof ResetLink>;

/** `DELETE /auth/me`; an account that signs in by a provider only leaves the password out. */
export const AccountRemoval = Type.Object({ password: Type.Optional(GivenPassword) }, closed);
export const accountRemoval = validator(AccountRemoval);
