import { AUTH_SETTINGS } from '@crowdvision/auth';
import { GATEWAY_SETTINGS } from '@crowdvision/edge-gateway';
import { flag, text } from '@crowdvision/service-kit';
import { TWIN_SETTINGS } from '@crowdvision/twin';

/** Every setting of the embedded mode; docs/settings.md is made from it. */
export const SETTINGS = {
	...GATEWAY_SETTINGS,
	...AUTH_SETTINGS,
	...TWIN_SETTINGS,
	DEMO: flag('1: on the first start, create the demo and run simulated sensors', '1'),
	DEMO_PASSWORD: {
		...text(
			'password of the demo account; random, and printed once, if absent',
			undefined,
			'at least 8 characters',
			/^.{8,}$/s,
		),
		secret: true,
	},
};
