/** The framing `jsonl`: one JSON document per line. */
import { CrowdVisionError } from '@crowdvision/contracts';
import { parseJson } from '../../decode/message/json.ts';
import { stripChecksum } from './checksum.ts';
import type { FrameListener, Framing } from './framing.ts';
import { LineFramer } from './line-framer.ts';
import { endOfText, isLogLine, isLogPrefix } from './log-prefix.ts';

const OPENING = /[{[]/g;
/** Most positions at which `salvage` looks for a document in one line. */
const MAX_SALVAGE_ATTEMPTS = 16;

/** Framing `jsonl`: one JSON document per line, with `checksum` followed by `*` and its CRC-16. */
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

	textOf(line: Buffer): string | undefined {
		const text = line.toString('latin1');
		return text.startsWith('{') || text.startsWith('[') ? undefined : text;
	}

	/** Reads the document of a line, also behind what a logging framework writes before it, and in its colours. */
	decode(line: Buffer): unknown {
		try {
			return this.#document(line);
		} catch (error) {
			const text = line.toString('latin1');
			const end = endOfText(text);
			let attempts = 0;
			for (const { index } of text.matchAll(OPENING)) {
				if (++attempts > MAX_SALVAGE_ATTEMPTS) break;
				if ((index === 0 && end === text.length) || !isLogPrefix(text.slice(0, index))) continue;
				try {
					return this.#document(line.subarray(index, end));
				} catch {
					// No document begins here.
				}
			}
			throw error;
		}
	}

	isChatter(line: Buffer): boolean {
		return isLogLine(line.toString('latin1'));
	}

	/** @throws CrowdVisionError `not_json` */
	#document(line: Buffer): unknown {
		if (!this.#checksum) return parseJson(line);
		const content = stripChecksum(line);
		if (!content)
			throw new CrowdVisionError('not_json', 'The line does not end in * and the CRC-16 of the bytes before it');
		return parseJson(content);
	}

	/**
	 * A device that restarts in mid-line leaves half a line and then a whole one, with no newline between them. The whole
	 * line is recognized where it begins as the half does, or where no part of a document stands before it; anything else
	 * could be the inside of a damaged document.
	 */
	salvage(line: Buffer): Buffer | undefined {
		const text = line.toString('latin1');
		const head = /^[^:]*/.exec(text)![0];
		let attempts = 0;
		for (const { index } of text.matchAll(OPENING)) {
			if (index === 0) continue;
			if (++attempts > MAX_SALVAGE_ATTEMPTS) return undefined;
			const before = text.slice(0, index);
			const sameBeginning = before.length < head.length ? text.startsWith(before, index) : text.startsWith(head, index);
			if (!this.#checksum && !sameBeginning && /["{[]/.test(before)) continue;
			const rest = line.subarray(index);
			try {
				this.#document(rest);
				return rest;
			} catch {
				// No document begins here.
			}
		}
		return undefined;
	}
}
