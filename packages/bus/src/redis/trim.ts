import type { Redis } from 'ioredis';

/** To which size a stream is trimmed, and how far entries that a group still needs may exceed it. */
export interface TrimBounds {
	/** Number of entries that a trim leaves at least. */
	keep: number;
	/** A stream that holds this many entries, because a group has not acknowledged them, should take no more. */
	max: number;
}

export const DEFAULT_TRIM: TrimBounds = { keep: 100_000, max: 1_000_000 };

/** The size of a stream after a trim. */
export interface Trimmed {
	/** Number of entries held now. */
	length: number;
	/** The group whose unacknowledged entries keep the stream at `max` entries or more. */
	blockedBy?: string;
}

/**
 * One step, so that nothing is delivered or appended between checking and trimming. MINID removes nothing at or after
 * its id, `~` removes whole nodes only (a tenth of the work), and LIMIT leaves `keep` entries.
 */
const SCRIPT = `
local function before(a, b)
	local aMs, aSeq = string.match(a, '(%d+)-(%d+)')
	local bMs, bSeq = string.match(b, '(%d+)-(%d+)')
	if aMs ~= bMs then return tonumber(aMs) < tonumber(bMs) end
	return tonumber(aSeq) < tonumber(bSeq)
end
local length = redis.call('XLEN', KEYS[1])
local keep = tonumber(ARGV[1])
if length <= keep then return { length } end
local needed, holder
for _, fields in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
	local group = {}
	for i = 1, #fields, 2 do group[fields[i]] = fields[i + 1] end
	local from = group['last-delivered-id']
	if group['pending'] > 0 then from = redis.call('XPENDING', KEYS[1], group['name'])[2] end
	if needed == nil or before(from, needed) then needed, holder = from, group['name'] end
end
if needed == nil then
	redis.call('XTRIM', KEYS[1], 'MAXLEN', '~', keep, 'LIMIT', length - keep)
else
	redis.call('XTRIM', KEYS[1], 'MINID', '~', needed, 'LIMIT', length - keep)
end
length = redis.call('XLEN', KEYS[1])
if length >= tonumber(ARGV[2]) and holder then return { length, holder } end
return { length }
`;

/**
 * Removes the oldest entries of a stream, down to about `keep`, but never one that a group has not acknowledged. When a
 * slow group makes the stream reach `max` entries, the result names it as `blockedBy`. `stream` is the whole key.
 */
export async function trimStream(redis: Redis, stream: string, bounds: TrimBounds = DEFAULT_TRIM): Promise<Trimmed> {
	const [length, blockedBy] = (await redis.call('eval', SCRIPT, 1, stream, bounds.keep, bounds.max)) as [
		number,
		string?,
	];
	return blockedBy === undefined ? { length } : { length, blockedBy };
}
