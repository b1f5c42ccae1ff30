/** Opens a serial port with its line settings. */
import { SerialPort } from 'serialport';
import { filled } from '../../options.ts';
import { SerialConfig } from './serial-config.ts';

const OPEN_TIMEOUT_MS = 10_000;

/** The settings of the line itself. */
export type LineSettings = Pick<
	SerialConfig,
	'baudRate' | 'dataBits' | 'parity' | 'stopBits' | 'flowControl' | 'resetOnOpen' | 'dtr' | 'rts'
>;

/**
 * Opens a port exclusively. DTR and RTS stay as the kernel sets them, which is raised, also when the port is closed
 * again, unless `resetOnOpen` is set: a board that restarts when DTR falls and rises would lose its counts with each
 * reopening.
 * @throws Error when the port cannot be opened within 10 s, with the reason for a person
 */
export async function openPort(path: string, settings: LineSettings): Promise<SerialPort> {
	const { baudRate, dataBits, parity, stopBits, flowControl, resetOnOpen, dtr, rts } = filled(SerialConfig, settings);
	const software = flowControl === 'xonxoff';
	const port = new SerialPort({
		path,
		baudRate,
		dataBits,
		parity,
		stopBits,
		rtscts: flowControl === 'rtscts',
		xon: software,
		xoff: software,
		hupcl: resetOnOpen,
		autoOpen: false,
	});
	const called = (call: (done: (error?: Error | null) => void) => void) =>
		new Promise<void>((resolve, reject) => call((error) => (error ? reject(error) : resolve())));
	let timer: NodeJS.Timeout | undefined;
	const late = new Promise<never>((_, reject) => {
		timer = setTimeout(() => reject(new Error(`${path} did not open within ${OPEN_TIMEOUT_MS} ms`)), OPEN_TIMEOUT_MS);
	});
	const opening = called((done) => port.open(done));
	try {
		await Promise.race([opening, late]);
		if (dtr !== undefined || rts !== undefined)
			await called((done) => port.set({ dtr: dtr ?? true, rts: rts ?? true }, done));
		return port;
	} catch (error) {
		// A port that opens after the timeout is closed as well.
		opening.then(() => port.isOpen && port.close(() => undefined)).catch(() => undefined);
		throw error;
	} finally {
		clearTimeout(timer);
	}
}
