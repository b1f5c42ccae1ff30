import { PlaceId, type Problem, SensorId } from '@crowdvision/contracts';
import Type, { type Static } from 'typebox';
import { filterProblem } from '../topics/topic-filter.ts';
import { FORMAT_NAMES } from './format-table.ts';
import { mappingMistake } from './jsonata/jsonata-mapping.ts';

const closed = { additionalProperties: false };

/** One entry of `decoders` in gateway.yaml. */
export const DecoderRule = Type.Object(
	{
		topic: Type.Optional(
			Type.String({
				minLength: 1,
				maxLength: 1024,
				description: 'MQTT topic filter of the messages to decode; + and # are wildcards',
			}),
		),
		contentType: Type.Optional(
			Type.String({
				pattern: '^[a-z0-9!#$&^_.+-]+/[a-z0-9!#$&^_.+-]+$',
				description:
					'a content type of POST /ingest in lower case, without parameters, such as application/vnd.acme+json',
			}),
		),
		use: Type.Enum(FORMAT_NAMES, { description: 'the format of these messages' }),
		mapping: Type.Optional(
			Type.String({
				minLength: 1,
				maxLength: 65_536,
				description:
					'for use: jsonata. A JSONata expression that turns the payload into a reading, an array of readings, or ' +
					'nothing',
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
					description: 'used where a message does not name them; a registered sensor stays in its room',
				},
			),
		),
	},
	{ ...closed, description: 'The first rule whose topic or contentType matches decodes the message' },
);
export type DecoderRule = Static<typeof DecoderRule>;

/** A mistake. For one inside a mapping, `offset` is its position in characters from the start of the text at `path`. */
export interface DecoderProblem extends Problem {
	offset?: number;
}

/** Mistakes in `decoders` that the schema cannot express. `value` need not be valid against the schema. */
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
		problems.push({ path, message: 'must have either topic or contentType' });
	if (typeof topic === 'string') {
		const problem = topicProblem(topic);
		if (problem) problems.push({ path: `${path}/topic`, message: problem });
	}
	if (use === 'jsonata' && mapping === undefined)
		problems.push({ path: `${path}/mapping`, message: 'is required with use: jsonata' });
	if (use !== 'jsonata' && mapping !== undefined)
		problems.push({ path: `${path}/mapping`, message: 'is only allowed with use: jsonata' });
	if (typeof mapping === 'string' && mapping !== '') {
		const mistake = mappingMistake(mapping);
		if (mistake)
			problems.push({
				path: `${path}/mapping`,
				message: `is not valid JSONata: ${mistake.message}`,
				offset: mistake.position,
			});
	}
	return problems;
}

function topicProblem(topic: string): string | undefined {
	const [first] = topic.split('/', 1);
	if (first === 'status' || first === 'command' || first?.startsWith('$'))
		return `must not begin with ${first}/, which is reserved`;
	return filterProblem(topic);
}
