/** The part of a pino logger that packages without pino use: details first, then the message. */
export type PlainLogger = Record<'info' | 'warn' | 'error', (details: object, message: string) => void>;

const ignore = () => undefined;

/** Logs nothing. */
export const NO_LOGGER: PlainLogger = { info: ignore, warn: ignore, error: ignore };
