import { Counter, type Registry } from '@crowdvision/service-kit';
import type { PortCounts } from './serial-session.ts';
import type { SerialSource } from './serial-source.ts';

const HELP: Record<keyof PortCounts, string> = {
	opened: 'Times the port was opened',
	bytes: 'Bytes that came',
	frames: 'Frames that came, good or not',
	discarded: 'Stretches of bytes that were no frame',
	floods: 'Times the port was held up for bringing too much',
	unwritten: 'Answers that were dropped as the device does not read',
	silences: 'Times the port was opened anew as nothing was heard of its device',
};

/** What Prometheus reads of the serial ports, each by its name. */
export function registerSerialMetrics(metrics: Registry, serial: SerialSource): void {
	for (const [count, help] of Object.entries(HELP) as [keyof PortCounts, string][]) {
		new Counter({
			name: `gateway_serial_${count}_total`,
			help,
			labelNames: ['port'],
			registers: [metrics],
			collect() {
				this.reset();
				for (const [port, counts] of serial.counts()) this.inc({ port }, counts[count]);
			},
		});
	}
}
