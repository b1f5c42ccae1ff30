import { createHash } from 'node:crypto';
import { CrowdVisionError } from '@crowdvision/contracts';

/** The entity tag of a representation (RFC 9110 section 8.8.3): the same for the same content. */
export function tagOf(representation: unknown): string {
	return `"${createHash('sha256').update(JSON.stringify(representation)).digest('base64url').slice(0, 22)}"`;
}

/**
 * Holds a request to its `If-Match` (RFC 9110 section 13.1.1); without one, anything goes. A proxy that compresses may
 * have made the tag weak or put the coding behind it, which says nothing about the content: both are overlooked.
 * @throws CrowdVisionError `changed_meanwhile`
 */
export function requireMatch(ifMatch: string | undefined, representation: unknown): void {
	if (ifMatch === undefined || ifMatch.trim() === '*') return;
	const present = tagOf(representation);
	const given = ifMatch.split(',').map((tag) =>
		tag
			.trim()
			.replace(/^W\//, '')
			.replace(/-(gzip|zstd|br)"$/, '"'),
	);
	if (!given.includes(present))
		throw new CrowdVisionError('changed_meanwhile', 'It was changed by somebody else since you read it');
}
