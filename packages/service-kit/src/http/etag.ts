import { createHash } from 'node:crypto';
import { CrowdVisionError } from '@crowdvision/contracts';

/** The entity tag of a representation (RFC 9110 section 8.8.3): equal for equal content. */
export function tagOf(representation: unknown): string {
	return `"${createHash('sha256').update(JSON.stringify(representation)).digest('base64url').slice(0, 22)}"`;
}

/**
 * Checks the `If-Match` header of a request (RFC 9110 section 13.1.1); without one, any representation matches. A
 * compressing proxy may have made the tag weak or appended the content coding to it; both are ignored.
 * @throws CrowdVisionError `changed_meanwhile`
 */
export function requireMatch(ifMatch: string | undefined, representation: unknown): void {
	if (ifMatch === undefined || ifMatch.trim() === '*') return;
	const current = tagOf(representation);
	const given = ifMatch.split(',').map((tag) =>
		tag
			.trim()
			.replace(/^W\//, '')
			.replace(/-(gzip|zstd|br)"$/, '"'),
	);
	if (!given.includes(current))
		throw new CrowdVisionError('changed_meanwhile', 'It was changed by somebody else since you read it: read it again');
}
