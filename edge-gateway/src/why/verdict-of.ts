import type { Rejection, Verdict } from '@crowdvision/contracts';

/** The verdict of `why` for a refusal, by its error code. */
export function verdictOfRefusal({ code, transport }: Pick<Rejection, 'code' | 'transport'>): Verdict {
	switch (code) {
		case 'not_json':
			return transport === 'serial' ? 'bad_frame' : 'not_decoded';
		case 'not_decoded':
			return 'not_decoded';
		case 'bad_request':
			return 'unknown_topic';
		case 'unknown_sensor':
			return 'unknown_device';
		case 'forbidden':
		case 'unauthenticated':
		case 'not_admitted':
			return 'not_allowed';
		case 'no_value':
			return 'no_value';
		case 'rate_limited':
			return 'rate_limited';
		case 'log_full':
			return 'overflow';
		default:
			return 'invalid_reading';
	}
}
