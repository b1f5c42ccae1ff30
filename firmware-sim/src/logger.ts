/** Where devices tell what happens to them; a pino logger fits. Never given a token. */
export interface SimLogger {
	debug(details: object, message: string): void;
	info(details: object, message: string): void;
	warn(details: object, message: string): void;
}

/** Says nothing. */
export const SILENT: SimLogger = { debug() {}, info() {}, warn() {} };
