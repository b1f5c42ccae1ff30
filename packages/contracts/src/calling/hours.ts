/** Hours of the week, as people state them: by the clocks of a building. */
import Type, { type Static } from 'typebox';
import { offsetAt } from '../reading/local-time.ts';

const DAY_MS = 24 * 3600_000;
const MINUTE_MS = 60_000;

const WEEKDAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
/** 1970-01-01 was a Thursday. */
const FIRST_DAY = WEEKDAYS.indexOf('thu');

const TIME = '([01][0-9]|2[0-3]):[0-5][0-9]';

/** Days and the hours that begin on each of them; where `to` is not after `from`, they end on the next day. */
export const WeekHours = Type.Object(
	{
		days: Type.Array(Type.Enum([...WEEKDAYS]), { minItems: 1, maxItems: 7, uniqueItems: true }),
		from: Type.String({ pattern: `^${TIME}$`, description: 'a time such as 22:00' }),
		to: Type.String({ pattern: `^(${TIME}|24:00)$`, description: 'a time such as 07:00, not included, or 24:00' }),
	},
	{ additionalProperties: false },
);
export type WeekHours = Static<typeof WeekHours>;

/** The minute of the day. */
const minuteOf = (time: string): number => Number(time.slice(0, 2)) * 60 + Number(time.slice(3));

/**
 * Whether the clocks of an IANA zone show a time within the hours. An hour that the clocks skip is in no hours, and one
 * that they show twice is in them twice.
 * @param at epoch ms
 */
export function isWithinHours({ days, from, to }: WeekHours, zone: string, at: number): boolean {
	const wall = at + offsetAt(zone, at);
	const day = Math.floor(wall / DAY_MS);
	const minute = Math.floor((wall - day * DAY_MS) / MINUTE_MS);
	const isOn = (number: number) => days.includes(WEEKDAYS[(number + FIRST_DAY) % 7]!);
	const [start, end] = [minuteOf(from), minuteOf(to)];
	if (start < end) return isOn(day) && minute >= start && minute < end;
	return (isOn(day) && minute >= start) || (isOn(day - 1) && minute < end);
}
