import { CrowdVisionError } from '@crowdvision/contracts';
import { parseJson } from '../../decode/message/json.ts';
import { withoutChecksum } from './checksum.ts';
import type { FrameListener, Framing } from './framing.ts';
import { LineFramer } from './line-framer.ts';

const OPENING = /[{[]/g;
const MOST_TRIES = 16;

/** A line for each JSON document; with `checksum`, each ends in one. */
export class JsonLineFraming implements Framing {
	readonly #lines: LineFramer;
	readonly #checksum: boolean;

	constructor(limit: number, checksum: boolean, listener: FrameListener) {
		this.#checksum = checksum;
		this.#lines = new LineFramer(limit, listener);
	}

	push(chunk: Buffer): void {
		this.#lines.push(chunk);
	}

	end(): void {
		this.#lines.end();
	}

	said(line: Buffer): string | undefined {
		const text = line.toString('latin1');
		return text.startsWith('{') || text.startsWith('[') ? undefined : text;
	}

	decode(line: Buffer): unknown {
		if (!this.#checksum) return parseJson(line);
		const content = withoutChecksum(line);
		if (!content)
			throw new CrowdVisionError('not_json', 'The line does not end in * and the CRC-16 of what stands before it');
		return parseJson(content);
	}

	/**
	 * A device that stops in mid-line and begins again leaves half a line and a whole one without a newline between them.
	 * The whole one is found where it begins as the half does, or where nothing of a document stands before it: anything
	 * else could be part of a damaged document.
	 */
	salvage(line: Buffer): Buffer | undefined {
		const text = line.toString('latin1');
		const head = /^[^:]*/.exec(text)![0];
		let tries = 0;
		for (const { index } of text.matchAll(OPENING)) {
			if (index === 0) continue;
			if (++tries > MOST_TRIES) return undefined;
			const before = text.slice(0, index);
			const again = before.length < head.length ? text.startsWith(before, index) : text.startsWith(head, index);
			if (!this.#checksum && !again && /["{[]/.test(before)) continue;
			const rest = line.subarray(index);
			try {
				this.decode(rest);
				return rest;
			} catch {
				// Not from here.
			}
		}
		return undefined;
	}
}
