import { CrowdVisionError, type ErrorCode } from '@crowdvision/contracts';

/** Why a sign-in through a provider was refused, as the page tells it; its texts are in frontend/src/i18n. */
export type RefusalReason =
	| 'refused'
	| 'clock'
	| 'expired'
	| 'unverified'
	| 'emailDomain'
	| 'unreachable'
	| 'misconfigured'
	| 'noProvider'
	| 'other';

/** A refusal with its reason for the page. */
export class SsoRefusal extends CrowdVisionError {
	readonly reason: RefusalReason;

	constructor(reason: RefusalReason, code: ErrorCode, message: string) {
		super(code, message);
		this.reason = reason;
	}
}

/** The reason in any error of a sign-in. */
export function reasonOf(error: unknown): RefusalReason {
	if (error instanceof SsoRefusal) return error.reason;
	if (!(error instanceof CrowdVisionError)) return 'other';
	return error.code === 'not_found' ? 'noProvider' : error.code === 'unavailable' ? 'unreachable' : 'other';
}

/** What an error of openid-client means: the reason, and the end of a sentence. `reported`: the provider's own word. */
export function explain(code: string | undefined, reported: string | undefined): [RefusalReason, string] {
	if (reported === 'access_denied') return ['refused', 'it says that you, or its administrator, declined'];
	if (reported === 'invalid_client' || reported === 'unauthorized_client')
		return ['misconfigured', 'it does not accept the client id and secret of this domain'];
	if (reported === 'redirect_uri_mismatch') return ['misconfigured', 'the redirect URI is not registered with it'];
	if (code === 'OAUTH_JWT_TIMESTAMP_CHECK_FAILED')
		return ['clock', 'its clock and the clock of this installation differ by more than two minutes'];
	return ['refused', 'start again'];
}
