/** There is no room and the policy is `refuse`, or too many bytes wait for the disk. Nothing was stored. */
export class LogFullError extends Error {}

/** The disk refused the write, or the log is closed (`ECLOSED`). Nothing was stored. */
export class LogWriteError extends Error {
	readonly code: string;
	constructor(code: string, message: string) {
		super(message);
		this.code = code;
	}
}

export const closedError = () => new LogWriteError('ECLOSED', 'the log is closed');
