import { CrowdVisionError } from '@crowdvision/contracts';

/** Stream ids are `<milliseconds>-<sequence>`, both unsigned 64-bit numbers; a missing sequence is 0. */
const ID = /^(\d{1,20})(?:-(\d{1,20}))?$/;
const MAX_PART = 2n ** 64n - 1n;

function parse(id: string): [milliseconds: bigint, sequence: bigint] | undefined {
	const match = ID.exec(id);
	if (!match) return undefined;
	const parts: [bigint, bigint] = [BigInt(match[1]!), BigInt(match[2] ?? 0)];
	return parts.some((part) => part > MAX_PART) ? undefined : parts;
}

/** @throws CrowdVisionError `bad_request` if `id` is not a stream id. */
function parsed(id: string): [bigint, bigint] {
	const parts = parse(id);
	if (!parts) throw new CrowdVisionError('bad_request', `"${id.slice(0, 50)}" is not a position of a stream`);
	return parts;
}

/** Negative when `a` is before `b`, 0 when they are the same. @throws CrowdVisionError `bad_request` */
export function compareIds(a: string, b: string): number {
	const [aMs, aSeq] = parsed(a);
	const [bMs, bSeq] = parsed(b);
	if (aMs !== bMs) return aMs < bMs ? -1 : 1;
	if (aSeq !== bSeq) return aSeq < bSeq ? -1 : 1;
	return 0;
}

/** The id right before `id`; for `0-0` itself. */
export function idBefore(id: string): string {
	const [ms, seq] = parsed(id);
	if (seq > 0n) return `${ms}-${seq - 1n}`;
	return ms > 0n ? `${ms - 1n}-${MAX_PART}` : '0-0';
}
