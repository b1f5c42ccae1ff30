/** Records the last raw messages in memory, and on disk if configured. */
import { writeAtomically } from '@crowdvision/service-kit';
import type { Sender } from '../normalize/identify.ts';
import { encodePayload, type Payload } from '../payload.ts';
import { maskSecrets } from '../secrets.ts';
import { FrameRing, type Recordable, type RecordedFrame } from './frame-ring.ts';
import type { RecorderOptions } from './recorder-config.ts';

export type { RecordedFrame } from './frame-ring.ts';

/**
 * A line of the file: a frame with its bytes as text or base64, and the sender's scope as a list. It never contains a
 * secret.
 */
type Line = Omit<RecordedFrame, 'raw' | 'sender'> &
	Payload & { sender?: Omit<Sender, 'sensorIds'> & { sensorIds?: string[] } };

const SAVE_EVERY_MS = 60_000;
/** Ports beyond this number share the ring of their transport. */
const MAX_RINGS = 32;

/**
 * Records the last raw messages of each transport and port, also refused ones, so that `why` can explain the past and a
 * new configuration can be tried on real messages. Bounded and in memory; if configured, also written to a file with
 * one JSON document per line, oldest first.
 */
export class Recorder {
	readonly #options: RecorderOptions;
	readonly #file: string | undefined;
	readonly #rings = new Map<string, FrameRing>();
	#timer: NodeJS.Timeout | undefined;
	#changed = false;

	/** `path` of the file, which is written only if the options say so. */
	constructor(options: RecorderOptions, path: string) {
		this.#options = options;
		this.#file = options.disk && options.frames > 0 ? path : undefined;
	}

	start(): void {
		if (this.#file) this.#timer = setInterval(() => void this.#save().catch(() => undefined), SAVE_EVERY_MS).unref();
	}

	/** Records a frame. `at` is in epoch ms; `nextOffset` is the log's before any reading of the frame is appended. */
	record(frame: Recordable, at: number, nextOffset: number): void {
		if (this.#options.frames === 0) return;
		const { transport, port } = frame;
		let ring = this.#rings.get(port === undefined ? transport : `${transport} ${port}`);
		if (!ring) {
			const name = port === undefined || this.#rings.size >= MAX_RINGS ? transport : `${transport} ${port}`;
			ring = this.#rings.get(name) ?? new FrameRing(this.#options.frames, this.#options.maxBytes);
			this.#rings.set(name, ring);
		}
		ring.add(frame, at, nextOffset);
		this.#changed = true;
	}

	/** All recorded frames, oldest first. */
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
		await writeAtomically(this.#file, lines.join(''));
	}
}

function lineOf({ raw, sender, ...frame }: RecordedFrame): Line {
	const { sensorIds, ...rest } = sender ?? {};
	return {
		...frame,
		...encodePayload(maskSecrets(raw)),
		...(sender && {
			sender: { ...(rest as Omit<Sender, 'sensorIds'>), ...(sensorIds && { sensorIds: [...sensorIds] }) },
		}),
	};
}
