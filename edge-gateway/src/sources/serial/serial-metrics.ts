/** The Prometheus metrics of the serial ports. */
import { collectedMetrics, type Registry } from '@crowdvision/service-kit';
import type { PortCounts } from './port-session.ts';
import type { SerialSource } from './serial-source.ts';

const HELP: Record<keyof PortCounts, string> = {
	opened: 'Times the port was opened',
	bytes: 'Bytes received',
	frames: 'Frames received, valid or not',
	discarded: 'Stretches of bytes discarded because they were no frame',
	floods: 'Times reading was paused because the port sent too much',
	unwritten: 'Answers dropped because the device does not read',
	silences: 'Times the port was reopened because its device was silent',
};

/** Registers the Prometheus counters of the serial ports, labelled with the port's name. */
export function registerSerialMetrics(metrics: Registry, serial: SerialSource): void {
	const { counter } = collectedMetrics(metrics);
	for (const [count, help] of Object.entries(HELP) as [keyof PortCounts, string][]) {
		const read = () => [...serial.counts()].map(([port, counts]) => [{ port }, counts[count]] as const);
		counter(`gateway_serial_${count}_total`, help, read, ['port']);
	}
}
