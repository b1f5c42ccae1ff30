import type { CommandAnswer, CommandToDevice } from '@crowdvision/contracts';
import type { Line } from './lines.ts';

const RESULT = /^RESULT ([A-Za-z0-9._:-]{1,64}) (executed|failed|expired)(?: (.*))?$/;
const LONGEST_DETAIL = 1024;
/** Commands whose answer may still come over this opening of the port. */
const MOST_REMEMBERED = 256;
/** What goes over the wire may be lost on it. */
const REPEAT_MS = 2000;

type Answered = (answer: Omit<CommandAnswer, 'id'>) => void;

/** A serial device's line: `CMD {…}` to it, `RESULT <id> executed|failed|expired [<detail>]` back. */
export class SerialLine implements Line {
	readonly transport = 'serial';
	readonly repeatMs = REPEAT_MS;
	readonly name: string;
	readonly domainName: string | undefined;
	readonly #write: (text: string) => void;
	readonly #asked = new Map<string, Answered>();

	/** `write` takes ASCII, and drops it where the device does not read. */
	constructor(name: string, domainName: string | undefined, write: (text: string) => void) {
		this.name = name;
		this.domainName = domainName;
		this.#write = write;
	}

	send(command: CommandToDevice, answered: Answered): void {
		this.#asked.delete(command.id);
		this.#asked.set(command.id, answered);
		if (this.#asked.size > MOST_REMEMBERED) this.#asked.delete(this.#asked.keys().next().value!);
		const json = JSON.stringify(command).replace(
			/[\u007f-\uffff]/g,
			(char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
		);
		this.#write(`CMD ${json}\n`);
	}

	/** Takes what the device said; false for what is no answer to a command. */
	take(said: string): boolean {
		const [, id, outcome, detail] = RESULT.exec(said.trim()) ?? [];
		if (id === undefined) return false;
		const told = detail === undefined ? {} : { detail: detail.slice(0, LONGEST_DETAIL) };
		this.#asked.get(id)?.({ outcome: outcome as CommandAnswer['outcome'], ...told });
		return true;
	}
}
