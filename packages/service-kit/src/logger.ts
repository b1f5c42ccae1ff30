import { type Logger, pino } from 'pino';

export type { Logger };

/** A structured log on stderr; stdout is for the output that a person or a script asked for. Redacts secrets by key. */
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
