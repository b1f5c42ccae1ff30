import Type, { type Static } from 'typebox';

const Patterns = (description: string) => Type.Optional(Type.Array(Type.String({ minLength: 1, maxLength: 256 }), { maxItems: 1000, description }));

/** `devices:` of gateway.yaml: who may speak here. */
export const DevicesConfig = Type.Object(
	{
		allow: Patterns('ids of sensors or devices that may send; * stands for any characters, ? for one; default: all'),
		deny: Patterns('ids of sensors or devices that may not, whatever `allow` says; default: none'),
	},
	{ additionalProperties: false, description: 'devices and their sensors' },
);
export type DevicesConfig = Static<typeof DevicesConfig>;
