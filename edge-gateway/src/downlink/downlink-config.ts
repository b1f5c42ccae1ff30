import Type, { type Static } from 'typebox';
import { filled, option } from '../options.ts';

/** `downlink` in gateway.yaml: limits of commands to devices. */
export const DownlinkConfig = Type.Object(
	{
		timeoutMs: option(
			Type.Integer({ minimum: 1, maximum: 24 * 3600_000 }),
			30_000,
			'ms until the deadline of a command that names none',
		),
		mostUnderWay: option(
			Type.Integer({ minimum: 1, maximum: 10_000 }),
			1024,
			'most commands without an outcome, to all devices; one domain may have a quarter of them',
		),
		mostPerSensor: option(
			Type.Integer({ minimum: 1, maximum: 10_000 }),
			16,
			'most commands without an outcome, to one sensor',
		),
		perSecond: option(Type.Integer({ minimum: 1, maximum: 1000 }), 5, 'most commands a second to one sensor'),
	},
	{ additionalProperties: false, description: 'commands to devices' },
);
export type DownlinkConfig = Static<typeof DownlinkConfig>;

/** The defaults of all options. */
export const DOWNLINK_DEFAULTS: Required<DownlinkConfig> = filled(DownlinkConfig, {});
