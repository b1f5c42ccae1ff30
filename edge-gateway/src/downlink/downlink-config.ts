import Type, { type Static } from 'typebox';

/** `downlink:` of gateway.yaml: bounds of commands to devices. */
export const DownlinkConfig = Type.Object(
	{
		timeoutMs: Type.Optional(
			Type.Integer({
				minimum: 1,
				maximum: 24 * 3600_000,
				description: 'ms until the deadline of a command that names none; default 30000',
			}),
		),
		mostUnderWay: Type.Optional(
			Type.Integer({
				minimum: 1,
				maximum: 10_000,
				description:
					'commands without an outcome at once, over all devices, a quarter of them in one domain; default 1024',
			}),
		),
		mostPerSensor: Type.Optional(
			Type.Integer({
				minimum: 1,
				maximum: 10_000,
				description: 'commands without an outcome at once to one sensor; default 16',
			}),
		),
		perSecond: Type.Optional(
			Type.Integer({ minimum: 1, maximum: 1000, description: 'commands a second to one sensor; default 5' }),
		),
	},
	{ additionalProperties: false, description: 'commands to devices' },
);
export type DownlinkConfig = Static<typeof DownlinkConfig>;

export const DOWNLINK_DEFAULTS: Required<DownlinkConfig> = {
	timeoutMs: 30_000,
	mostUnderWay: 1024,
	mostPerSensor: 16,
	perSecond: 5,
};
