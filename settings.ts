import { AUTH_SETTINGS } from '@crowdvision/auth';
import { GATEWAY_SETTINGS } from '@crowdvision/edge-gateway';
import { NOTIFICATION_SETTINGS } from '@crowdvision/notification';
import { flag, text } from '@crowdvision/service-kit';
import { TWIN_SETTINGS } from '@crowdvision/twin';

/** Every setting of the standalone process; docs/settings.md is generated from it. */
export const SETTINGS = {
	...GATEWAY_SETTINGS,
	...AUTH_SETTINGS,
	...TWIN_SETTINGS,
	...NOTIFICATION_SETTINGS,
	DEMO: flag('1: create the demo on the first start, and run simulated sensors', '1'),
	DEMO_PASSWORD: {
		...text(
			'password of the demo account; if absent, a random one is printed once',
			undefined,
			'at least 8 characters',
			/^.{8,}$/s,
		),
		secret: true,
	},
};
