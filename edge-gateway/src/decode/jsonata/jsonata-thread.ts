/** Worker thread that evaluates one mapping, so that a slow mapping does not stall the sockets. */
import { parentPort, workerData } from 'node:worker_threads';
import jsonata from 'jsonata';
import { type MappingMistake, toMistake } from './jsonata-mapping.ts';

/** What the thread is started with. */
export interface MappingData {
	mapping: string;
	/** Limits at which JSONata itself stops, with a reason: ms, calls deep, items of an array. */
	options: { timeout: number; stack: number; sequence: number };
}

/** A message to map: its payload as text, and the variables of the mapping but `$text`. */
export interface MappingTask {
	payload: string;
	/** Whether the mapping reads the text itself, so that it need not be JSON whatever it begins with. */
	readsText: boolean;
	variables: Record<string, unknown>;
}

/** The result as JSON text, undefined if there is none; or why there is no result. */
export type MappingAnswer = { json: string | undefined } | { mistake: MappingMistake } | { notJson: true };

const { mapping, options } = workerData as MappingData;
const expression = jsonata(mapping, options);
const port = parentPort!;

port.on('message', async (task: MappingTask) => {
	port.postMessage(await map(task));
});
port.postMessage('ready');

/** How a JSON document begins that is no bare value. */
const DOCUMENT = /^\s*[{[]/;
/** What ends a line, or pads a buffer, is no part of a text. */
const END = /[\r\n\0]+$/;

async function map({ payload, readsText, variables }: MappingTask): Promise<MappingAnswer> {
	const text = payload.replace(END, '');
	let input: unknown;
	try {
		input = JSON.parse(payload);
	} catch {
		if (DOCUMENT.test(payload) && !readsText) return { notJson: true };
		input = text;
	}
	try {
		return { json: JSON.stringify(await expression.evaluate(input, { ...variables, text }), withoutFunctions) };
	} catch (error) {
		return { mistake: toMistake(error, mapping) };
	}
}

/** Leaves out functions, `function($x){…}`, which JSONata represents as circular objects. */
function withoutFunctions(_key: string, value: unknown): unknown {
	const isFunction =
		typeof value === 'object' && value !== null && ('_jsonata_lambda' in value || '_jsonata_function' in value);
	return isFunction ? undefined : value;
}
