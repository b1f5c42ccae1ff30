/** What devices log to, such as a pino logger. It is never given a token. */
export interface SimLogger {
	debug(details: object, message: string): void;
	info(details: object, message: string): void;
	warn(details: object, message: string): void;
}

/** Logs nothing. */
export const SILENT: SimLogger = { debug() {}, info() {}, warn() {} };
