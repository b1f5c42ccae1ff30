/** The part of a pino logger that the bus uses. */
export type BusLogger = Record<'info' | 'warn' | 'error', (details: object, message: string) => void>;

const nothing = () => undefined;

/** For callers that do not want to hear of it. */
export const SILENT: BusLogger = { info: nothing, warn: nothing, error: nothing };
