import { type Position, START, type TailGap } from '../bus.ts';
import type { RedisConnection } from './redis-connection.ts';
import { compareIds, idBefore } from './redis-ids.ts';

export interface WentBack {
	/** Whether the group had to. */
	went: boolean;
	/** What the group may miss there: everything after `from`, up to `to`, is no longer held. */
	gap?: TailGap;
}

/**
 * The group goes back where it was given, and acknowledged, anything after a place: more entries follow it, up to the
 * last that was given, than are pending there. (What is pending alone is not, it is given again anyway, and how often
 * it was tried must not be forgotten.) Then what is pending there is acknowledged, to be read again at its place:
 * delivered before what it follows it would bring the consumer forward over that.
 */
const SCRIPT = `
local key, name, to = KEYS[1], ARGV[1], ARGV[2]
local last
for _, fields in ipairs(redis.call('XINFO', 'GROUPS', key)) do
	local group = {}
	for i = 1, #fields, 2 do group[fields[i]] = fields[i + 1] end
	if group['name'] == name then last = group['last-delivered-id'] end
end
local after = '(' .. to
local count = redis.call('XPENDING', key, name)[1]
local pending = count == 0 and {} or redis.call('XPENDING', key, name, after, last, count)
if #redis.call('XRANGE', key, after, last, 'COUNT', count + 1) <= #pending then return { 0 } end
for _, entry in ipairs(pending) do redis.call('XACK', key, name, entry[1]) end
redis.call('XGROUP', 'SETID', key, name, to)
return { 1, redis.call('XRANGE', key, '-', '+', 'COUNT', 1)[1][1] }
`;

/** Has a group begin again after `to` where it stands further on; `to` is a stream id. */
export async function goBack(commands: RedisConnection, key: string, group: string, to: Position): Promise<WentBack> {
	const [went, oldest] = (await commands.run((redis) => redis.call('eval', SCRIPT, 1, key, group, to))) as [
		number,
		Position?,
	];
	if (!went || oldest === undefined) return { went: false };
	// What stood at `to` is gone, so what followed it may be gone too.
	const isGap = compareIds(to, START) !== 0 && compareIds(to, oldest) < 0;
	return isGap ? { went: true, gap: { from: to, to: idBefore(oldest) } } : { went: true };
}
