/** The part of a pino logger that the store uses. */
export type StoreLogger = Record<'info' | 'warn' | 'error', (details: object, message: string) => void>;

const nothing = () => undefined;

/** For callers that do not want to hear of it. */
export const SILENT: StoreLogger = { info: nothing, warn: nothing, error: nothing };
