/** How people are called about the alerts of a building: one document, which can be exported and imported as it is. */
import Type, { type Static } from 'typebox';
import { ROLES, type Role } from '../account/roles.ts';
import { SEVERITIES } from '../alert/alert.ts';
import { timesAtWall } from '../reading/local-time.ts';
import { PlaceId } from '../reading/reading.ts';
import { readTimestamp } from '../reading/timestamps.ts';
import { type Problem, validator } from '../validator.ts';
import { isWithinHours, WeekHours } from './hours.ts';

const CLOSED = { additionalProperties: false } as const;
const DAY_SECONDS = 24 * 3600;
const Severity = Type.Enum([...SEVERITIES]);
const seconds = (minimum: number, maximum: number, description: string) =>
	Type.Number({ minimum, maximum, description });
/** Strings are checked further by `policyProblems`. */
const Moment = Type.Union([Type.Number({ minimum: 0 }), Type.String({ minLength: 1, maxLength: 64 })], {
	description: 'epoch ms, or ISO 8601; without an offset by the clocks of the building',
});

const Maintenance = Type.Object(
	{
		from: Moment,
		to: Moment,
		rooms: Type.Optional(
			Type.Array(PlaceId, { minItems: 1, maxItems: 2000, uniqueItems: true, description: 'default all' }),
		),
		note: Type.Optional(Type.String({ minLength: 1, maxLength: 500 })),
	},
	CLOSED,
);

const EscalationStep = Type.Object(
	{
		afterSeconds: seconds(0, 7 * DAY_SECONDS, 'after the alert opened, while nobody acknowledged it'),
		to: Type.Union([
			Type.Object(
				{ role: Type.Enum(Object.keys(ROLES) as Role[], { description: 'this role or a higher one' }) },
				CLOSED,
			),
			Type.Object(
				{
					accounts: Type.Array(Type.String({ minLength: 1, maxLength: 128 }), {
						minItems: 1,
						maxItems: 100,
						uniqueItems: true,
					}),
				},
				CLOSED,
			),
		]),
		channels: Type.Array(Type.Enum(['push', 'mail', 'webhook']), { minItems: 1, uniqueItems: true }),
	},
	CLOSED,
);

const POLICY = {
	silence: Type.Object(
		{
			afterSeconds: Type.Optional(
				seconds(
					1,
					30 * DAY_SECONDS,
					"how long a sensor may say nothing; default learned from each sensor's own cadence",
				),
			),
			severity: Severity,
		},
		CLOSED,
	),
	openingHours: Type.Array(WeekHours, { maxItems: 50, description: 'when the building is open; empty: always' }),
	quiet: Type.Array(
		Type.Object(
			{
				...WeekHours.properties,
				belowSeverity: Type.Enum(SEVERITIES.slice(1), { description: 'less severe alerts call nobody then' }),
			},
			CLOSED,
		),
		{ maxItems: 50 },
	),
	maintenance: Type.Array(Maintenance, { maxItems: 200, description: 'alerts call nobody then' }),
	groupingSeconds: seconds(0, DAY_SECONDS, 'alerts that open this soon after another of the building are told with it'),
	escalation: Type.Array(EscalationStep, { maxItems: 10 }),
};

/** `GET /notification/buildings/{id}/policy` */
export const Policy = Type.Object(POLICY, CLOSED);
export type Policy = Static<typeof Policy>;

/** `PUT /notification/buildings/{id}/policy`: what is left out has its default. */
export const PolicyRequest = Type.Partial(Policy, CLOSED);
const policyRequest = validator(PolicyRequest);

/** The policy of a building that nobody set one for. */
export const DEFAULT_POLICY: Policy = {
	silence: { severity: 'warning' },
	openingHours: [],
	quiet: [],
	maintenance: [],
	groupingSeconds: 0,
	escalation: [],
};

/** What a policy is checked against. */
interface PolicyContext {
	/** The zone of its building, an IANA name. */
	zone: string;
	rooms: ReadonlySet<string>;
}

/**
 * All mistakes in a request to set a policy, with their paths: also times that are none, windows that end before they
 * begin, rooms that the building does not have, and steps of the escalation in the wrong order. Empty if it is valid.
 */
export function policyProblems(value: unknown, { zone, rooms }: PolicyContext): Problem[] {
	const problems = policyRequest.problems(value);
	if (problems.length > 0 || !policyRequest.check(value)) return problems;
	for (const list of ['openingHours', 'quiet'] as const) {
		for (const [index, { from, to }] of (value[list] ?? []).entries()) {
			if (from === to)
				problems.push({
					path: `/${list}/${index}/to`,
					message: 'must differ from from; a whole day is 00:00 to 24:00',
				});
		}
	}
	for (const [index, window] of (value.maintenance ?? []).entries()) {
		const path = `/maintenance/${index}`;
		const [from, to] = [momentOfText(window.from, zone, 0), momentOfText(window.to, zone, -1)];
		const what = 'must be epoch ms or a time of ISO 8601, such as 2026-12-01T22:00';
		if (from === undefined) problems.push({ path: `${path}/from`, message: what });
		if (to === undefined) problems.push({ path: `${path}/to`, message: what });
		else if (from !== undefined && to <= from) problems.push({ path: `${path}/to`, message: 'must be after from' });
		for (const [place, room] of (window.rooms ?? []).entries()) {
			if (!rooms.has(room))
				problems.push({ path: `${path}/rooms/${place}`, message: 'is not a room of this building' });
		}
	}
	const steps = value.escalation ?? [];
	for (const [index, { afterSeconds }] of steps.entries()) {
		const before = steps[index - 1]?.afterSeconds;
		if (before !== undefined && afterSeconds <= before)
			problems.push({
				path: `/escalation/${index}/afterSeconds`,
				message: `must be more than that of the step before, which is ${before}`,
			});
	}
	return problems;
}

/** A valid request with the defaults of what it leaves out. */
export const policyOf = (request: Static<typeof PolicyRequest>): Policy => ({ ...DEFAULT_POLICY, ...request });

/** The maintenance window of a policy that a moment (epoch ms) is in, for a room or the whole building. */
export function maintenanceAt(
	{ maintenance }: Pick<Policy, 'maintenance'>,
	zone: string,
	at: number,
	roomId?: string,
): Policy['maintenance'][number] | undefined {
	return maintenance.find((window) => {
		const { from, to } = maintenanceSpan(window, zone);
		const isMeant = window.rooms === undefined || (roomId !== undefined && window.rooms.includes(roomId));
		return isMeant && from <= at && at < to;
	});
}

/** Begin and end of a maintenance window in epoch ms; the end is not included. */
function maintenanceSpan(
	{ from, to }: Pick<Policy['maintenance'][number], 'from' | 'to'>,
	zone: string,
): { from: number; to: number } {
	return { from: momentOfText(from, zone, 0) ?? 0, to: momentOfText(to, zone, -1) ?? 0 };
}

/** The severity below which alerts call nobody at a moment (epoch ms); undefined where all of them may. */
export function quietBelow({ quiet }: Pick<Policy, 'quiet'>, zone: string, at: number): Severity | undefined {
	const now = quiet.filter((hours) => isWithinHours(hours, zone, at)).map(({ belowSeverity }) => belowSeverity);
	return SEVERITIES.findLast((severity) => (now as Severity[]).includes(severity));
}
type Severity = (typeof SEVERITIES)[number];

/** @param which of two moments at which the clocks show it: 0 the first, -1 the last */
function momentOfText(moment: number | string, zone: string, which: 0 | -1): number | undefined {
	if (typeof moment === 'number') return moment;
	const read = readTimestamp(moment);
	if (!read) return undefined;
	return read.isLocal ? timesAtWall(read.zone ?? zone, read.at).at(which) : read.at;
}
