import { type Logger, pino } from 'pino';

export type { Logger };

/**
 * Structured log to stderr, so that stdout stays for what a person or a script asked for. Secrets are cut out by key.
 */
export function createLogger(name: string, level: string): Logger {
	return pino(
		{
			name,
			level,
			redact: {
				paths: ['token', 'password', 'secret', 'authorization', '*.token', '*.password', '*.secret', '*.authorization'],
				censor: '[redacted]',
			},
		},
		pino.destination({ dest: 2, sync: true }),
	);
}
