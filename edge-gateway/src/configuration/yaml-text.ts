import { isScalar } from 'yaml';

const SPACE = /\s/;

/**
 * Where the character `offset` of a scalar's value stands in the file, relative to the scalar's beginning. Indentation
 * and folding change white space only, so the other characters are counted.
 */
export function offsetInSource(source: string, node: unknown, offset: number): number {
	if (offset === 0 || !isScalar(node) || !node.range || typeof node.value !== 'string') return 0;
	const [start, end] = node.range;
	let left = node.value.slice(0, offset).replace(/\s/g, '').length;
	let at = start + before(source, start, node.type);
	for (; at < end && left > 0; at++) {
		if (SPACE.test(source[at]!)) continue;
		left--;
		if (node.type === 'QUOTE_SINGLE' && source.startsWith("''", at)) at++;
		if (node.type === 'QUOTE_DOUBLE' && source[at] === '\\') {
			if (/[nrtNLP_ ]/.test(source[at + 1] ?? '')) left++;
			at++;
		}
	}
	while (at < end && SPACE.test(source[at]!) && !SPACE.test(node.value[offset] ?? '')) at++;
	return at - start;
}

/** Length of what precedes the text itself: a quotation mark, or the line of `|` or `>`. */
function before(source: string, start: number, type: string | undefined): number {
	if (type === 'QUOTE_SINGLE' || type === 'QUOTE_DOUBLE') return 1;
	return type === 'BLOCK_LITERAL' || type === 'BLOCK_FOLDED' ? source.indexOf('\n', start) + 1 - start : 0;
}
