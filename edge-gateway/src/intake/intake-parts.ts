/** What the intake is made of. */
import type { Clock } from '../clock/clock.ts';
import type { Admission } from '../devices/admission.ts';
import type { Availability } from '../devices/availability.ts';
import type { Cadences } from '../devices/cadences.ts';
import type { Quarantine } from '../devices/quarantine.ts';
import type { SensorNames } from '../devices/sensor-names.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { Occupancy } from '../occupancy/occupancy.ts';
import type { Registry } from '../registry.ts';
import type { Rejected } from '../rejected/rejected.ts';
import type { Recorder } from '../trace/recorder.ts';
import type { Trace } from '../trace/trace.ts';
import type { Notes } from './notes.ts';
import type { IntakeMetrics } from './reading-validator.ts';
import type { IntakeLog, OnWritten } from './reading-writer.ts';

export interface IntakeParts {
	log: IntakeLog;
	clock: Clock;
	registry: Registry;
	occupancy: Occupancy;
	rejected: Pick<Rejected, 'add'>;
	ledger: Ledger;
	/** Which sensors may send; default: all. */
	admission?: Admission;
	/** Lists sensors whose place is not known. */
	quarantine?: Quarantine;
	/** Which ids sensors keep, and how people call them. */
	names?: SensorNames;
	/** Notified of every sensor that sends. */
	availability?: Availability;
	/** Learns how often each sensor speaks; default: anew, and nothing is kept. */
	cadences?: Cadences;
	/** Keeps the last raw frames. */
	recorder?: Recorder;
	trace?: Trace;
	/** Keep what decoders tell of messages beside their readings. */
	notes?: Notes;
	/** Called with the only reading of a frame and its record, once it was handed to the log. */
	onWritten?: OnWritten;
	/** Default: the built-in ones. */
	metrics?: IntakeMetrics;
	gatewayId: string;
}
