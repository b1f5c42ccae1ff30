/** Opens the intake, and what watches it: decoders, recorder, trace and the local broker. */
import { join } from 'node:path';
import type { Lifecycle } from '@crowdvision/service-kit';
import { Decoders } from '../decode/decoders.ts';
import { Admission } from '../devices/admission.ts';
import { deliverTo, type Take } from '../frame.ts';
import { Intake } from '../intake/intake.ts';
import { FrameShapes } from '../intake/shapes/frame-shapes.ts';
import { ReadingShapes, type ReadingShapesParts } from '../intake/shapes/reading-shapes.ts';
import { warmUp } from '../intake/warm-up.ts';
import { LocalBroker } from '../sources/mqtt/broker/local-broker.ts';
import { Replay } from '../sources/replay/replay.ts';
import { CodecWarnings } from '../trace/codec-warnings.ts';
import { Recorder } from '../trace/recorder.ts';
import { recorderOptions } from '../trace/recorder-config.ts';
import { Trace } from '../trace/trace.ts';
import { UnknownFields } from '../trace/unknown-fields.ts';
import type { GatewayParts } from './parts.ts';
import { gatewayFolder, type Storage } from './storage.ts';

/** The one way into the log, and what watches it. */
export interface OpenIntake {
	/** Stores a frame, or puts it into the rejected list. */
	take: Take;
	refuse: Intake['refuse'];
	/** As `warmUp` in intake/warm-up.ts. */
	warmUp(): Promise<void>;
	ignore: Intake['ignore'];
	/** Takes refused frames in again. */
	replay: Replay;
	/** Which sensors may send. */
	admission: Admission;
	decoders: Decoders;
	/** Messages between the parts of the gateway and the MQTT clients. */
	local: LocalBroker;
	recorder: Recorder;
	trace: Trace;
	/** Keys that no rule reads. */
	unknownFields: UnknownFields;
	codecWarnings: CodecWarnings;
	/** Takes readings that repeat others but for their numbers. */
	shapes: ReadingShapes;
	/** The same for whole messages, such as arrays. */
	frameShapes: FrameShapes;
}

export function openIntake(
	{ config, log, clock, logger }: GatewayParts,
	{ registry, adoptions, quarantine, availability, names, cadences, rejected, rooms, metrics, ledger }: Storage,
	lifecycle: Lifecycle,
): OpenIntake {
	const local = new LocalBroker();
	const publish = (message: Parameters<LocalBroker['publish']>[0]) => local.publish(message);
	const decoders = lifecycle.own('decoders', new Decoders(config.decoders, publish, metrics.catalog), (part) =>
		part.close(),
	);
	const file = join(gatewayFolder(config), 'recorded.ndjson');
	const recorder = lifecycle.own('recorder', new Recorder(recorderOptions(config.recorder), file), (part) =>
		part.close(),
	);
	const trace = new Trace();
	const unknownFields = new UnknownFields();
	const codecWarnings = new CodecWarnings();
	const admission = new Admission(config.devices, adoptions);
	const shapesParts: ReadingShapesParts = {
		...{ log, clock, cadences, availability, recorder, ledger, trace, metrics },
		isWaiting: (senderId) => intake.isWaiting(senderId),
		revision: () =>
			registry.revision + adoptions.revision + admission.revision + decoders.generation + metrics.catalog.version,
	};
	const shapes = new ReadingShapes(shapesParts);
	const frameShapes = new FrameShapes(shapesParts, shapes);
	const intake = new Intake({
		onWritten: shapes.wrote,
		log,
		clock,
		registry,
		occupancy: rooms.occupancy,
		rejected,
		ledger,
		admission,
		quarantine,
		availability,
		names,
		cadences,
		recorder,
		trace,
		notes: { unknownFields, codecWarnings },
		metrics,
		gatewayId: config.gatewayId,
	});
	const take: Take = (frame, onDurable) => {
		if (frame.parsed === undefined && frameShapes.take(frame, onDurable)) return;
		frameShapes.learn(frame);
		intake.take(frame, onDurable);
	};
	return {
		take,
		refuse: (frame, error) => intake.refuse(frame, error),
		async warmUp() {
			const dir = gatewayFolder(config);
			const { taken, refused } = await warmUp({ dir, clock, metrics, gatewayId: config.gatewayId });
			logger.debug({ taken, refused }, 'intake: warmed up');
		},
		ignore: (frame, reason) => intake.ignore(frame, reason),
		replay: new Replay({ rejected, decoders, deliver: deliverTo(take) }),
		admission,
		decoders,
		local,
		recorder,
		trace,
		unknownFields,
		codecWarnings,
		shapes,
		frameShapes,
	};
}
