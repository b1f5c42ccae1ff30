import { type Position, START, type TailGap } from '../bus.ts';
import type { RedisConnection } from './connection.ts';
import { compareIds, idBefore } from './ids.ts';

export interface WentBack {
	/** Whether the group had to go back. */
	went: boolean;
	/** What the group may miss there: entries after `from`, up to `to`, are no longer held. */
	gap?: TailGap;
}

/**
 * The group has to go back if it acknowledged anything after the position `to`: then more entries stand between `to`
 * and the last delivered one than are pending there. (If all of them are pending the group stays: they are delivered
 * again anyway, and their delivery counts must survive.) Going back acknowledges the pending ones, so that they are
 * read again in order: delivered first, they would move the consumer past entries that come before them.
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

/** Makes a group begin again after the stream id `to`, if it has acknowledged anything later. */
export async function goBack(commands: RedisConnection, key: string, group: string, to: Position): Promise<WentBack> {
	const [went, oldest] = (await commands.run((redis) => redis.call('eval', SCRIPT, 1, key, group, to))) as [
		number,
		Position?,
	];
	if (!went || oldest === undefined) return { went: false };
	// The entry at `to` is gone, so the ones that followed it may be gone too.
	const isGap = compareIds(to, START) !== 0 && compareIds(to, oldest) < 0;
	return isGap ? { went: true, gap: { from: to, to: idBefore(oldest) } } : { went: true };
}
