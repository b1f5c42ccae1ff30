import { PlaceId, type Problem, SensorId } from '@crowdvision/contracts';
import Type, { type Static } from 'typebox';
import { filterProblem } from '../topics/topic-filter.ts';
import { mappingMistake } from './jsonata/jsonata-mapping.ts';
import { FORMAT_NAMES } from './registry.ts';

const closed = { additionalProperties: false };

/** One entry of `decoders` in gateway.yaml. */
export const DecoderRule = Type.Object(
	{
		topic: Type.Optional(
			Type.String({
				minLength: 1,
				maxLength: 1024,
				description: 'MQTT topic filter of the messages it is for; + and # are wildcards',
			}),
		),
		contentType: Type.Optional(
			Type.String({
				pattern: '^[a-z0-9!#$&^_.+-]+/[a-z0-9!#$&^_.+-]+$',
				description:
					'a content type of POST /ingest in small letters, without parameters, such as application/vnd.acme+json',
			}),
		),
		use: Type.Enum(FORMAT_NAMES, { description: 'the format of these messages' }),
		mapping: Type.Optional(
			Type.String({
				minLength: 1,
				maxLength: 65_536,
				description:
					'for use: jsonata. A JSONata expression that makes a reading, an array of readings, or nothing of the payload',
			}),
		),
		defaults: Type.Optional(
			Type.Object(
				{
					buildingId: Type.Optional(PlaceId),
					roomId: Type.Optional(PlaceId),
					sensorId: Type.Optional(SensorId),
				},
				{
					...closed,
					description: 'what counts where a message does not say it; a registered sensor stays in its room',
				},
			),
		),
	},
	{ ...closed, description: 'The first rule whose topic or contentType matches decodes the message' },
);
export type DecoderRule = Static<typeof DecoderRule>;

/** A mistake, `offset` characters into the text at `path` where it is one of a mapping. */
export interface DecoderProblem extends Problem {
	offset?: number;
}

/** What the schema cannot say of `decoders`. `value` is not validated yet. */
export function decoderProblems(value: unknown): DecoderProblem[] {
	if (!Array.isArray(value)) return [];
	return value.flatMap((rule: unknown, index) =>
		typeof rule === 'object' && rule !== null ? ruleProblems(rule, `/decoders/${index}`) : [],
	);
}

function ruleProblems(rule: Partial<Record<keyof DecoderRule, unknown>>, path: string): DecoderProblem[] {
	const problems: DecoderProblem[] = [];
	const { topic, contentType, use, mapping } = rule;
	if ((topic === undefined) === (contentType === undefined))
		problems.push({ path, message: 'must have one of topic, contentType' });
	if (typeof topic === 'string') {
		const wrong = topicProblem(topic);
		if (wrong) problems.push({ path: `${path}/topic`, message: wrong });
	}
	if (use === 'jsonata' && mapping === undefined)
		problems.push({ path: `${path}/mapping`, message: 'is required, as use is jsonata' });
	if (use !== 'jsonata' && mapping !== undefined)
		problems.push({ path: `${path}/mapping`, message: 'is only for use: jsonata' });
	if (typeof mapping === 'string' && mapping !== '') {
		const mistake = mappingMistake(mapping);
		if (mistake)
			problems.push({
				path: `${path}/mapping`,
				message: `is not JSONata: ${mistake.message}`,
				offset: mistake.position,
			});
	}
	return problems;
}

function topicProblem(topic: string): string | undefined {
	const [first] = topic.split('/', 1);
	if (first === 'status' || first === 'command' || first?.startsWith('$'))
		return `must not begin with ${first}/, which has a meaning of its own here`;
	return filterProblem(topic);
}
