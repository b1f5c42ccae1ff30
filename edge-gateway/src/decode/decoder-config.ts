import { escapeKey, METRIC_KEY, oneSpelling, PlaceId, type Problem, SensorId } from '@crowdvision/contracts';
import Type, { type Static } from 'typebox';
import { TimeZoneOption, timeZoneProblem } from '../measures.ts';
import { filterProblem } from '../topics/topic-filter.ts';
import { type CodecFile, codecFileProblem, readCodecFile } from './codec/codec-file.ts';
import { FORMAT_NAMES, RENAMING_FORMATS } from './format-table.ts';
import { mappingMistake } from './jsonata/jsonata-mapping.ts';

const closed = { additionalProperties: false };

/** One entry of `rename`: the metric that a vendor's key holds. */
const Renaming = Type.Object(
	{
		metric: Type.String({ pattern: METRIC_KEY, description: 'a metric of the catalog, or one of `metrics`' }),
		unit: Type.Optional(
			Type.String({ minLength: 1, maxLength: 32, description: "the vendor's unit, if it is another" }),
		),
		scale: Type.Optional(Type.Number({ description: "the vendor's number is multiplied by this" })),
		offset: Type.Optional(Type.Number({ description: 'added after that' })),
		values: Type.Optional(
			Type.Record(Type.String({ maxLength: 64 }), Type.Number(), {
				description: 'numbers for texts and booleans, such as {ON: 1, OFF: 0}',
			}),
		),
	},
	closed,
);

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
		path: Type.Optional(
			Type.String({
				pattern: '^[A-Za-z0-9._-]{1,64}$',
				description: 'name of a way in of its own: POST /ingest/{path}, with any content type',
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
		codec: Type.Optional(
			Type.String({
				minLength: 1,
				maxLength: 1024,
				description:
					"for use: codec. The file with the vendor's payload codec (JavaScript with decodeUplink, as in LoRaWAN's " +
					'TS013)',
			}),
		),
		fPort: Type.Optional(
			Type.Integer({
				minimum: 0,
				maximum: 255,
				description: "for use: codec. LoRaWAN's port of bytes that come without a network server; default: 1",
			}),
		),
		variables: Type.Optional(
			Type.Record(Type.String({ maxLength: 64 }), Type.String({ maxLength: 256 }), {
				description: 'for use: codec. `input.variables` of the codec',
			}),
		),
		rename: Type.Optional(
			Type.Record(Type.String({ minLength: 1, maxLength: 128 }), Renaming, {
				description:
					`which metric a vendor's key holds; comes before the format's own keys. ` +
					`For use: ${RENAMING_FORMATS.join(', ')}`,
			}),
		),
		timeZone: TimeZoneOption,
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
	{ ...closed, description: 'The first rule whose topic, path or contentType matches decodes the message' },
);
export type DecoderRule = Static<typeof DecoderRule>;

/** A rule with what its files hold: the content counts, also when the file has changed since. */
export interface LoadedRule extends DecoderRule {
	codecFile?: CodecFile;
}

/** Reads the files that rules name. @throws the file system's error */
export function loadRules(rules: readonly DecoderRule[]): LoadedRule[] {
	return rules.map((rule) => (rule.codec === undefined ? rule : { ...rule, codecFile: readCodecFile(rule.codec) }));
}

/** The topic filter, content type or path of a rule, as ledger and messages name it. */
export function ruleName({
	topic,
	contentType,
	path,
	use,
}: Pick<DecoderRule, 'topic' | 'contentType' | 'path' | 'use'>): string {
	return topic ?? contentType ?? (path === undefined ? use : `POST /ingest/${path}`);
}

/** A mistake. For one inside a mapping, `offset` is its position in characters from the start of the text at `path`. */
export interface DecoderProblem extends Problem {
	offset?: number;
}

/** Mistakes in `decoders` that the schema cannot express. `value` need not be valid against the schema. */
export function decoderProblems(value: unknown, metricKeys: readonly string[]): DecoderProblem[] {
	if (!Array.isArray(value)) return [];
	const first = new Map<string, number>();
	return value.flatMap((rule: unknown, index) =>
		typeof rule === 'object' && rule !== null
			? [
					...repeatProblems(rule, index, first),
					...ruleProblems(rule, `/decoders/${index}`),
					...renameProblems((rule as Partial<DecoderRule>).rename, `/decoders/${index}/rename`, metricKeys),
				]
			: [],
	);
}

/** What decides when a rule is used. */
const MATCHERS = ['topic', 'path', 'contentType'] as const;

/** A rule that says the same as an earlier one is never used. @param first index of the first rule with a matcher */
function repeatProblems(
	rule: Partial<Record<keyof DecoderRule, unknown>>,
	index: number,
	first: Map<string, number>,
): DecoderProblem[] {
	return MATCHERS.flatMap((key) => {
		const matcher = rule[key];
		if (typeof matcher !== 'string') return [];
		const name = `${key} ${oneSpelling(matcher)}`;
		const earlier = first.get(name);
		if (earlier === undefined) first.set(name, index);
		if (earlier === undefined) return [];
		const message = `is that of decoders.${earlier} already, so this rule would never be used: the first one decides`;
		return [{ path: `/decoders/${index}/${key}`, message }];
	});
}

function ruleProblems(rule: Partial<Record<keyof DecoderRule, unknown>>, path: string): DecoderProblem[] {
	const problems: DecoderProblem[] = [];
	const { topic, use, mapping, rename, timeZone } = rule;
	problems.push(...timeZoneProblem(timeZone, path));
	if (MATCHERS.filter((key) => rule[key] !== undefined).length !== 1)
		problems.push({ path, message: 'must have one of topic, path and contentType' });
	if (typeof topic === 'string') {
		const problem = topicProblem(topic);
		if (problem) problems.push({ path: `${path}/topic`, message: problem });
	}
	if (use === 'jsonata' && mapping === undefined)
		problems.push({ path: `${path}/mapping`, message: 'is required with use: jsonata' });
	if (use !== 'jsonata' && mapping !== undefined)
		problems.push({ path: `${path}/mapping`, message: 'is only allowed with use: jsonata' });
	problems.push(...codecProblems(rule, path));
	if (rename !== undefined && !(RENAMING_FORMATS as unknown[]).includes(use))
		problems.push({ path: `${path}/rename`, message: `is only allowed with use: ${RENAMING_FORMATS.join(', ')}` });
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

function codecProblems(rule: Partial<Record<keyof DecoderRule, unknown>>, path: string): DecoderProblem[] {
	const { use, codec } = rule;
	if (use !== 'codec')
		return (['codec', 'fPort', 'variables'] as const)
			.filter((key) => rule[key] !== undefined)
			.map((key) => ({ path: `${path}/${key}`, message: 'is only allowed with use: codec' }));
	if (codec === undefined) return [{ path: `${path}/codec`, message: 'is required with use: codec' }];
	if (typeof codec !== 'string' || codec === '') return [];
	const message = codecFileProblem(codec);
	return message === undefined ? [] : [{ path: `${path}/codec`, message: `(${codec}) ${message}` }];
}

/** Renamed keys whose metric nobody defines. */
function renameProblems(rename: unknown, path: string, metricKeys: readonly string[]): DecoderProblem[] {
	if (typeof rename !== 'object' || rename === null) return [];
	return Object.entries(rename as Record<string, { metric?: unknown } | null>).flatMap(([key, renamed]) => {
		const metric = renamed?.metric;
		if (typeof metric !== 'string' || metricKeys.includes(metric)) return [];
		const message = `must be one of ${metricKeys.join(', ')}, or defined in metrics`;
		return [{ path: `${path}/${escapeKey(key)}/metric`, message }];
	});
}

function topicProblem(topic: string): string | undefined {
	const [first] = topic.split('/', 1);
	if (first === 'status' || first === 'command' || first?.startsWith('$'))
		return `must not begin with ${first}/, which is reserved`;
	return filterProblem(topic);
}
