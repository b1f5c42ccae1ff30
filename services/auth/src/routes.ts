/** All HTTP routes of auth. */
import { Router } from '@crowdvision/service-kit';
import { type AccountRouteParts, addAccountRoutes } from './accounts/account-routes.ts';
import { addSessionRoutes, type SessionRouteParts } from './accounts/session-routes.ts';
import { addContactRoutes, type ContactRouteParts } from './contact/contact-routes.ts';
import { addDeviceRoutes, type DeviceRouteParts } from './devices/device-routes.ts';
import { addDomainRoutes, type DomainRouteParts } from './domains/domain-routes.ts';
import { addInvitationRoutes, type InvitationRouteParts } from './domains/invitation-routes.ts';
import { addMemberRoutes, type MemberRouteParts } from './domains/member-routes.ts';
import { addKeyRoutes, type KeyRouteParts } from './keys/key-routes.ts';
import { addRecoveryRoutes, type RecoveryRouteParts } from './recovery/recovery-routes.ts';
import { addSsoRoutes, type SsoRouteParts } from './sso/sso-routes.ts';

export type AuthParts = AccountRouteParts &
	SessionRouteParts &
	ContactRouteParts &
	DomainRouteParts &
	MemberRouteParts &
	InvitationRouteParts &
	DeviceRouteParts &
	SsoRouteParts &
	KeyRouteParts &
	RecoveryRouteParts;

/** Auth's paths, without the prefix `/auth`. */
export function authRoutes(parts: AuthParts): Router {
	const router = Router();
	addAccountRoutes(router, parts);
	addSessionRoutes(router, parts);
	addContactRoutes(router, parts);
	addDomainRoutes(router, parts);
	addMemberRoutes(router, parts);
	addInvitationRoutes(router, parts);
	addDeviceRoutes(router, parts);
	addSsoRoutes(router, parts);
	addKeyRoutes(router, parts);
	addRecoveryRoutes(router, parts);
	return router;
}
