/** Tries another configuration on the last messages and compares the results. */
import { isDeepStrictEqual } from 'node:util';
import { CrowdVisionError, MetricCatalog } from '@crowdvision/contracts';
import type { Clock } from '../clock/clock.ts';
import { decodeMessage } from '../decode/decode-message.ts';
import { Decoders } from '../decode/decoders.ts';
import { decodeFrame, parsePayload } from '../decode/formats/canonical.ts';
import { type Decoding, NO_READING } from '../decode/message/decoder.ts';
import { Admission } from '../devices/admission.ts';
import type { Adoptions } from '../devices/adoptions.ts';
import type { Frame } from '../frame.ts';
import { nothingSound, partsOf, sortParts } from '../intake/parts.ts';
import { ReadingValidator, toClientError } from '../intake/reading-validator.ts';
import { Doors } from '../occupancy/doors.ts';
import { sampleOf } from '../payload.ts';
import type { Registry } from '../registry.ts';
import { frameOf } from '../sources/replay/replay.ts';
import { createFraming } from '../sources/serial/framings.ts';
import { portFrame, senderOfPort } from '../sources/serial/port-frame.ts';
import type { RecordedFrame } from '../trace/recorder.ts';
import type { GatewayConfig } from './gateway-config.ts';

/** The result of one message under one configuration. */
export interface Outcome {
	outcome: 'readings' | 'ignored' | 'refused';
	/** One line per reading: sensor, metric, value, unit, building/room. */
	readings?: string[];
	/** Why it yields no reading. */
	reason?: string;
}

/** A message that has another result. */
export interface Change {
	at: number;
	/** Topic, path or port. */
	source: string;
	sender: string | undefined;
	sample: string;
	before: Outcome;
	after: Outcome;
}

/** What another configuration would have made of the last messages. */
export interface DryRunReport {
	/** Number of messages that were tried. */
	tried: number;
	/** How many of them have the same result. */
	same: number;
	/** How many have another result, and the first of them. */
	changed: number;
	changes: Change[];
	/** By outcome, under the present and under the other configuration. */
	before: Record<Outcome['outcome'], number>;
	after: Record<Outcome['outcome'], number>;
	/** Messages that were not tried, as their sender is not known. */
	leftOut: number;
}

export interface DryRunParts {
	registry: Registry;
	adoptions: Adoptions;
	clock: Clock;
}

const MAX_CHANGES = 50;

/**
 * Runs the last messages through two configurations and compares the results: of decoders, places, doors, device lists
 * and serial ports. Nothing is stored, counted, acknowledged or sent, and the running gateway's decoders keep their
 * state.
 */
export class DryRun {
	readonly #parts: DryRunParts;

	constructor(parts: DryRunParts) {
		this.#parts = parts;
	}

	async compare(frames: readonly RecordedFrame[], before: GatewayConfig, after: GatewayConfig): Promise<DryRunReport> {
		const readers = [this.#reader(before), this.#reader(after)] as const;
		const report: DryRunReport = {
			tried: 0,
			same: 0,
			changed: 0,
			changes: [],
			before: noCounts(),
			after: noCounts(),
			leftOut: 0,
		};
		try {
			for (const frame of frames) {
				if (!frame.sender) {
					report.leftOut++;
					continue;
				}
				const [was, willBe] = [await readers[0].read(frame), await readers[1].read(frame)];
				report.tried++;
				report.before[was.outcome]++;
				report.after[willBe.outcome]++;
				if (isDeepStrictEqual(was, willBe)) report.same++;
				else if (++report.changed <= MAX_CHANGES) report.changes.push(changeOf(frame, was, willBe));
			}
		} finally {
			await Promise.all(readers.map(({ close }) => close()));
		}
		return report;
	}

	#reader(config: GatewayConfig): { read(frame: RecordedFrame): Promise<Outcome>; close(): Promise<void> } {
		const { registry, adoptions, clock } = this.#parts;
		const catalog = new MetricCatalog(config.metrics);
		// What a decoder would ask its device for is not sent: only the recorded messages are here.
		const decoders = new Decoders(config.decoders, async () => undefined, catalog);
		const validator = new ReadingValidator({
			registry,
			clock,
			metrics: { catalog },
			admission: new Admission(config.devices, adoptions),
			doors: new Doors(config.occupancy),
		});
		return {
			read: (frame) => outcomeOf(frame, { config, decoders, validator, catalog }),
			close: () => decoders.close(),
		};
	}
}

/** A configuration, and what reads messages by it. */
interface Reader {
	config: GatewayConfig;
	decoders: Decoders;
	validator: ReadingValidator;
	catalog: MetricCatalog;
}

async function outcomeOf(recorded: RecordedFrame, { config, decoders, validator, catalog }: Reader): Promise<Outcome> {
	let decoded = false;
	try {
		const frame = recorded.transport === 'serial' ? serialFrame(recorded, config) : frameOf(recorded, decoders);
		decoded = frame.decodeBy !== undefined;
		const decoding = await decode(frame, recorded.at, catalog);
		if (typeof decoding === 'string') return { outcome: 'ignored', reason: NO_READING[decoding] };
		if (!Array.isArray(decoding)) return { outcome: 'ignored', reason: `it says that a device is ${decoding.state}` };
		const { checked: readings, refused } = sortParts(partsOf(decoding), frame, (one) =>
			validator.check(decoded ? { ...one, candidate: validator.complete(frame, one) } : one, frame, recorded.at),
		);
		if (readings.length === 0 && refused.length > 0) throw nothingSound(refused);
		return {
			outcome: 'readings',
			readings: [
				...readings.map(
					({ incoming, value, definition, buildingId, roomId }) =>
						`${incoming.sensorId} ${incoming.metric} ${value} ${definition.unit} in ${buildingId}/${roomId}`,
				),
				...refused.map((part) => `refused: ${part.error.message}`),
			],
		};
	} catch (error) {
		const refusal = toClientError(error as Error, decoded);
		if (!refusal) throw error;
		return { outcome: 'refused', reason: `${refusal.code}: ${refusal.message}` };
	}
}

async function decode(frame: Frame, receivedAt: number, catalog: MetricCatalog): Promise<Decoding> {
	const { decodeBy, raw, source, sender } = frame;
	if (decodeBy) {
		const { rule, name } = decodeBy;
		return decodeMessage(decodeBy, { raw, source, name, receivedAt, sender: sender.id, timeZone: rule.timeZone });
	}
	return decodeFrame({ ...frame, parsed: frame.parsed ?? parsePayload(frame) }, catalog);
}

/** The frame of a port under the entry for that port. @throws CrowdVisionError if no entry is for it */
function serialFrame({ port = '', raw, sender }: RecordedFrame, { serial }: GatewayConfig): Frame {
	const entry = serial.find(({ path }) => path === port) ?? (serial.length === 1 ? serial[0] : undefined);
	if (!entry) throw new CrowdVisionError('not_found', `No entry of sources.serial is for ${port}`);
	const framing = createFraming(entry, { frame: () => undefined, discarded: () => undefined });
	return portFrame(port, raw, framing.decode(raw), entry.requireToken ? sender! : senderOfPort(port, entry), entry);
}

function changeOf({ at, source, sender, raw }: RecordedFrame, before: Outcome, after: Outcome): Change {
	return { at, source, sender: sender?.id, sample: sampleOf(raw), before, after };
}

const noCounts = (): Record<Outcome['outcome'], number> => ({ readings: 0, ignored: 0, refused: 0 });
