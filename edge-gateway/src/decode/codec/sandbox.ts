/** Runs vendors' codecs in QuickJS, an interpreter in WebAssembly: nothing outside it can be reached. */
import quickjs from '@jitl/quickjs-wasmfile-release-sync';
import {
	newQuickJSWASMModuleFromVariant,
	newVariant,
	type QuickJSContext,
	type QuickJSHandle,
	type QuickJSSyncVariant,
	type QuickJSWASMModule,
} from 'quickjs-emscripten-core';
import type { CodecFile } from './codec-file.ts';

/** The input of `decodeUplink` in LoRaWAN's TS013 section 2.1; `recvTime` in epoch ms. */
export interface CodecInput {
	bytes: number[];
	fPort: number;
	recvTime: number;
	variables: Readonly<Record<string, string>>;
}

/** The output of TS013, or why there is none. `data` as the codec made it, of JSON's types only. */
export type CodecAnswer =
	| { data: unknown; warnings: string[]; errors: string[] }
	/** It threw, ran too long or took too much memory. */
	| { failed: string };

/** The part of WebAssembly that is used here; Node's types leave it out. */
declare const WebAssembly: { Memory: new (pages: { initial: number; maximum: number }) => InterpreterMemory };
interface InterpreterMemory {
	readonly buffer: ArrayBuffer;
}

/** Its types are those of CommonJS, its module is not. */
const QUICKJS = quickjs as unknown as QuickJSSyncVariant;
const PAGE_BYTES = 65_536;
/** The interpreter's memory: what it starts with, and what it may grow to. */
const MEMORY_PAGES = { initial: 256, maximum: 512 };
/** What a codec may take of it. */
const HEAP_BYTES = 12 * 1024 * 1024;
const STACK_BYTES = 256 * 1024;
/** For one message, in CPU time of this thread. */
const CPU_MS = 300;
const MAX_RESULT_CHARS = 256 * 1024;
const MAX_TEXTS = 20;
const MAX_TEXT_CHARS = 200;

/** Keeps the functions it needs, as the codec may replace them; returns how a found entry is called. */
const BEFORE = `(function () {
	var stringify = JSON.stringify, parse = JSON.parse, Time = Date, quiet = function () {};
	globalThis.console = { log: quiet, info: quiet, warn: quiet, error: quiet, debug: quiet };
	globalThis.module = { exports: {} };
	globalThis.exports = module.exports;
	return function (found, text) {
		var input = parse(text), entry = found[1], result;
		if (found[0] === 'Decode') result = { data: entry(input.fPort, input.bytes, input.variables) };
		else if (found[0] === 'Decoder') result = { data: entry(input.bytes, input.fPort) };
		else {
			input.recvTime = new Time(input.recvTime);
			result = entry(input);
		}
		if (typeof result !== 'object' || result === null) throw new TypeError(found[0] + ' returned no object');
		if (typeof result.then === 'function') throw new TypeError(found[0] + ' is asynchronous, which codecs cannot be');
		return stringify({ data: result.data, warnings: result.warnings, errors: result.errors });
	};
})()`;

/** The codec's entry with its name: that of TS013, else those of ChirpStack v3 and The Things Network v2. */
const FIND = `(function () {
	if (typeof decodeUplink === 'function') return ['decodeUplink', decodeUplink];
	if (typeof module.exports.decodeUplink === 'function') return ['decodeUplink', module.exports.decodeUplink];
	if (typeof Decode === 'function') return ['Decode', Decode];
	if (typeof Decoder === 'function') return ['Decoder', Decoder];
	throw new TypeError('none of the functions decodeUplink, Decode and Decoder is defined');
})()`;

/** An interpreter that runs one message of a codec at a time, each from a fresh start. */
export class Sandbox {
	#module: QuickJSWASMModule | undefined;
	#memory: InterpreterMemory | undefined;

	/** Runs a codec on a message; without `input`, only finds its entry. */
	async run(codec: CodecFile, input?: CodecInput): Promise<CodecAnswer> {
		const module = await this.#open();
		try {
			return this.#evaluate(module, codec, input);
		} catch (error) {
			// The interpreter itself failed, and may be damaged.
			this.#module = undefined;
			return { failed: shortened(`the interpreter failed: ${(error as Error).message}`) };
		} finally {
			// WebAssembly's memory only grows: what a codec blew up is given back with the interpreter.
			if (this.#memory && this.#memory.buffer.byteLength > MEMORY_PAGES.initial * PAGE_BYTES) this.#module = undefined;
		}
	}

	async #open(): Promise<QuickJSWASMModule> {
		if (this.#module) return this.#module;
		this.#memory = new WebAssembly.Memory(MEMORY_PAGES);
		this.#module = await newQuickJSWASMModuleFromVariant(newVariant(QUICKJS, { wasmMemory: this.#memory }));
		return this.#module;
	}

	#evaluate(module: QuickJSWASMModule, codec: CodecFile, input: CodecInput | undefined): CodecAnswer {
		const runtime = module.newRuntime({ memoryLimitBytes: HEAP_BYTES, maxStackSizeBytes: STACK_BYTES });
		const isOver = deadline();
		let timedOut = false;
		runtime.setInterruptHandler(() => (timedOut ||= isOver()));
		const context = runtime.newContext();
		const opened: QuickJSHandle[] = [];
		/** The value of a step. @throws CodecFailure */
		const value = (result: ReturnType<QuickJSContext['evalCode']>): QuickJSHandle => {
			if (!result.error) {
				opened.push(result.value);
				return result.value;
			}
			const thrown: unknown = context.dump(result.error);
			result.error.dispose();
			throw new CodecFailure(
				timedOut ? `it ran for more than ${CPU_MS} ms, and was stopped` : reasonOf(thrown, codec.name),
			);
		};
		try {
			const call = value(context.evalCode(BEFORE, 'gateway.js'));
			value(context.evalCode(codec.text, codec.name));
			const found = value(context.evalCode(FIND, 'gateway.js'));
			if (!input) return { data: undefined, warnings: [], errors: [] };
			const text = context.newString(JSON.stringify(input));
			opened.push(text);
			return answerIn(context.getString(value(context.callFunction(call, context.undefined, found, text))));
		} catch (error) {
			if (error instanceof CodecFailure) return { failed: error.message };
			throw error;
		} finally {
			for (const handle of opened) handle.dispose();
			context.dispose();
			runtime.dispose();
		}
	}
}

/** A codec that threw or was stopped. */
class CodecFailure extends Error {}

/**
 * Says whether the time of a message is over. Measured in CPU time where Node tells it (24 and newer), so that a busy
 * machine does not stop a sound codec.
 */
function deadline(): () => boolean {
	if (typeof process.threadCpuUsage !== 'function') {
		const until = performance.now() + CPU_MS;
		return () => performance.now() > until;
	}
	const used = () => {
		const { user, system } = process.threadCpuUsage();
		return (user + system) / 1000;
	};
	const until = used() + CPU_MS;
	return () => used() > until;
}

function answerIn(json: string): CodecAnswer {
	if (json.length > MAX_RESULT_CHARS) return { failed: `its result is longer than ${MAX_RESULT_CHARS} characters` };
	const { data, warnings, errors } = JSON.parse(json) as Record<string, unknown>;
	return { data, warnings: textsIn(warnings), errors: textsIn(errors) };
}

function textsIn(value: unknown): string[] {
	if (!Array.isArray(value)) return [];
	return value.slice(0, MAX_TEXTS).map((one) => shortened(typeof one === 'string' ? one : JSON.stringify(one)));
}

/** What a codec threw, with the line: `TypeError: not a function (vs121.js:12)`. */
function reasonOf(thrown: unknown, file: string): string {
	if (typeof thrown !== 'object' || thrown === null) return shortened(String(thrown));
	const { name, message, stack } = thrown as Record<string, unknown>;
	const at = String(stack ?? '')
		.split('\n')
		.find((line) => line.includes(`${file}:`));
	const line = at && /:(\d+)(?::\d+)?\)?\s*$/.exec(at)?.[1];
	return shortened(`${String(name ?? 'Error')}: ${String(message ?? '')}${line ? ` (${file}:${line})` : ''}`);
}

function shortened(text: string): string {
	return text.length > MAX_TEXT_CHARS ? `${text.slice(0, MAX_TEXT_CHARS)}…` : text;
}
