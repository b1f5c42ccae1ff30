/** Sends commands to a serial device, and reads its answers. */
import type { CommandAnswer, CommandToDevice } from '@crowdvision/contracts';
import type { CommandChannel } from './command-channels.ts';
import { MAX_DETAIL } from './device-messages.ts';

const RESULT = /^RESULT ([A-Za-z0-9._:-]{1,64}) (executed|failed|expired)(?: (.*))?$/;
/** Commands whose answer is still accepted while the port is open. */
const MAX_REMEMBERED = 256;
/** A serial line may lose data. */
const REPEAT_MS = 2000;

type OnAnswer = (answer: Omit<CommandAnswer, 'id'>) => void;

/** The channel of a serial device: sends `CMD {…}`, receives `RESULT <id> executed|failed|expired [<detail>]`. */
export class SerialChannel implements CommandChannel {
	readonly transport = 'serial';
	readonly repeatMs = REPEAT_MS;
	readonly name: string;
	readonly domainName: string | undefined;
	readonly #write: (text: string) => void;
	readonly #sent = new Map<string, OnAnswer>();

	/** `write` is given ASCII text, and drops it if the device is not reading. */
	constructor(name: string, domainName: string | undefined, write: (text: string) => void) {
		this.name = name;
		this.domainName = domainName;
		this.#write = write;
	}

	send(command: CommandToDevice, onAnswer: OnAnswer): void {
		this.#sent.delete(command.id);
		this.#sent.set(command.id, onAnswer);
		if (this.#sent.size > MAX_REMEMBERED) this.#sent.delete(this.#sent.keys().next().value!);
		const json = JSON.stringify(command).replace(
			/[\u007f-\uffff]/g,
			(char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
		);
		this.#write(`CMD ${json}\n`);
	}

	/** Handles a line of the device. Returns false if it is not the result of a command. */
	take(text: string): boolean {
		const [, id, outcome, detail] = RESULT.exec(text.trim()) ?? [];
		if (id === undefined) return false;
		const rest = detail === undefined ? {} : { detail: detail.slice(0, MAX_DETAIL) };
		this.#sent.get(id)?.({ outcome: outcome as CommandAnswer['outcome'], ...rest });
		return true;
	}
}
