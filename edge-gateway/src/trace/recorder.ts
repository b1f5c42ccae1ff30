import { rename, writeFile } from 'node:fs/promises';
import type { Sender } from '../normalize/identify.ts';
import { encodePayload, type Payload, withoutTokens } from '../payload.ts';
import { FrameRing, type Recordable, type RecordedFrame } from './frame-ring.ts';
import type { RecorderOptions } from './recorder-config.ts';

export type { RecordedFrame } from './frame-ring.ts';

/**
 * A line of the file: a frame, its bytes as text or base64, the scope of its sender spelled out. Tokens are never among
 * it.
 */
type Line = Omit<RecordedFrame, 'raw' | 'sender'> &
	Payload & { sender?: Omit<Sender, 'sensorIds'> & { sensorIds?: string[] } };

const SAVE_EVERY_MS = 60_000;
/** More ways in than this share the ring of their transport. */
const MOST_RINGS = 32;

/**
 * The last raw messages of each way in, whatever became of them: so that `why` can answer about the past, and a new
 * configuration be tried on what really came in. In memory and bounded; by configuration also in a file, one JSON
 * document a line, oldest first.
 */
export class Recorder {
	readonly #options: RecorderOptions;
	readonly #file: string | undefined;
	readonly #rings = new Map<string, FrameRing>();
	#timer: NodeJS.Timeout | undefined;
	#changed = false;

	/** `path`: where the file goes, where there is to be one. */
	constructor(options: RecorderOptions, path: string) {
		this.#options = options;
		this.#file = options.disk && options.frames > 0 ? path : undefined;
	}

	start(): void {
		if (this.#file) this.#timer = setInterval(() => void this.#save().catch(() => undefined), SAVE_EVERY_MS).unref();
	}

	/** `nextOffset`: of the log, before anything of the frame is in it. */
	record(frame: Recordable, at: number, nextOffset: number): void {
		if (this.#options.frames === 0) return;
		const { transport, port } = frame;
		let ring = this.#rings.get(port === undefined ? transport : `${transport} ${port}`);
		if (!ring) {
			const name = port === undefined || this.#rings.size >= MOST_RINGS ? transport : `${transport} ${port}`;
			ring = this.#rings.get(name) ?? new FrameRing(this.#options.frames, this.#options.maxBytes);
			this.#rings.set(name, ring);
		}
		ring.add(frame, at, nextOffset);
		this.#changed = true;
	}

	/** Of all ways in, oldest first. */
	frames(): RecordedFrame[] {
		return [...this.#rings.values()].flatMap((ring) => ring.list()).sort((a, b) => a.at - b.at);
	}

	async close(): Promise<void> {
		clearInterval(this.#timer);
		await this.#save().catch(() => undefined);
	}

	async #save(): Promise<void> {
		if (!this.#file || !this.#changed) return;
		this.#changed = false;
		const lines = this.frames().map((frame) => `${JSON.stringify(lineOf(frame))}\n`);
		await writeFile(`${this.#file}.tmp`, lines.join(''), { mode: 0o600 });
		await rename(`${this.#file}.tmp`, this.#file);
	}
}

function lineOf({ raw, sender, ...frame }: RecordedFrame): Line {
	const { sensorIds, ...rest } = sender ?? {};
	return {
		...frame,
		...encodePayload(withoutTokens(raw) ?? raw),
		...(sender && {
			sender: { ...(rest as Omit<Sender, 'sensorIds'>), ...(sensorIds && { sensorIds: [...sensorIds] }) },
		}),
	};
}
