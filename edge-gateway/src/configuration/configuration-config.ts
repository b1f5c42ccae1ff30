import Type, { type Static } from 'typebox';

/** `configuration` in gateway.yaml: how changes of it are taken. */
export const ConfigurationConfig = Type.Object(
	{
		trial: Type.Optional(
			Type.String({
				pattern: '^\\d{1,9} ?(s|m|h)$',
				description:
					'a duration such as 60s: a change of this file is taken back by itself when, within this time, an uplink, the intake or the ledger suffers; 0s takes changes without a trial. Default 60s',
			}),
		),
	},
	{ additionalProperties: false, description: 'how a change of this file is taken while the gateway runs' },
);
export type ConfigurationConfig = Static<typeof ConfigurationConfig>;
