import type { Stage } from '@crowdvision/contracts';
import type { Presence } from '../decode/message/presence.ts';
import type { Completion, Frame } from '../frame.ts';
import { withoutSecrets } from '../secrets.ts';
import type { Trace, TraceEvent } from '../trace/trace.ts';
import type { Checked } from './reading-validator.ts';

/** Sensors that one message is noted for at most. */
const MOST_NOTED = 50;

/** Notes in the trace what becomes of each frame, stage by stage. */
export class FrameTrace {
	readonly #trace: Trace | undefined;
	readonly #logId: string;

	/** @param logId the first part of the ids of readings */
	constructor(trace: Trace | undefined, logId: string) {
		this.#trace = trace;
		this.#logId = logId;
	}

	/** Whether anyone follows a sensor, topic or device: only then are successful stages noted. */
	get watching(): boolean {
		return this.#trace?.watching ?? false;
	}

	/** Notes a stage of a frame. The trace keeps successful stages only while someone follows the frame. */
	note(frame: Frame, at: number, stage: Stage, { outcome = 'ok', ...more }: Partial<TraceEvent>): void {
		const { transport, source, sender, context } = frame;
		this.#trace?.note({
			at,
			stage,
			outcome,
			transport,
			source,
			sender: sender.id,
			domainName: sender.domainName,
			sensorId: context.sensorId,
			...more,
		});
	}

	/** Notes that sensors came or went, as the frame says: for each of those that it `changed`. */
	presence(frame: Frame, { state, of }: Presence, changed: readonly string[], at: number): void {
		const whose = of.kind === 'sensor' ? of.ids.join(', ') : of.below ? `what is below ${of.topic}` : of.topic;
		const said = `it says that ${whose} is ${state}`;
		if (changed.length === 0)
			this.note(frame, at, 'decoded', { outcome: 'presence', detail: `${said}; no sensor changed by it` });
		for (const sensorId of changed.slice(0, MOST_NOTED))
			this.note(frame, at, 'decoded', {
				outcome: 'presence',
				sensorId,
				detail: `${said}; ${sensorId} is ${state} now`,
			});
	}

	/** Notes that a reading was stored before. */
	duplicate(frame: Frame, { incoming: { sensorId, seq, boot } }: Checked, at: number): void {
		const of = `seq ${seq}${boot === undefined ? '' : ` of boot ${boot}`}`;
		this.note(frame, at, 'judged', {
			outcome: 'duplicate',
			sensorId,
			detail: `${of} was received before, with the same content`,
		});
	}

	/**
	 * Notes how a reading was decoded and normalized.
	 * @param offset where its record will stand in the log
	 * @returns `onDurable`, which first notes that the reading is stored
	 */
	followed(
		frame: Frame,
		{ incoming, value, definition, buildingId, roomId, observedAt }: Checked,
		at: number,
		offset: number,
		onDurable: Completion,
	): Completion {
		const { sensorId, metric } = incoming;
		const id = `${this.#logId}-${offset}`;
		this.note(frame, at, 'decoded', { sensorId, id, detail: withoutSecrets(JSON.stringify(incoming)).slice(0, 500) });
		const place = `${buildingId}/${roomId}`;
		this.note(frame, at, 'normalized', {
			sensorId,
			id,
			detail: `${metric} ${value} ${definition.unit} in ${place}, observed ${new Date(observedAt).toISOString()}`,
		});
		this.note(frame, at, 'judged', { sensorId, id, detail: 'new' });
		return (error, accepted) => {
			if (!error) this.note(frame, at, 'stored', { sensorId, id, detail: `at offset ${offset}` });
			onDurable(error, accepted);
		};
	}
}
