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

/** A message to map: its payload as JSON text, and the variables of the mapping. */
export interface MappingTask {
	payload: string;
	variables: Record<string, unknown>;
}

/** The result as JSON text, undefined if there is none; or why there is no result. */
export type MappingAnswer = { json: string | undefined } | { mistake: MappingMistake } | { notJson: true };

const { mapping, options } = workerData as MappingData;
const expression = jsonata(mapping, options);
const port = parentPort!;

port.on('message', async ({ payload, variables }: MappingTask) => {
	port.postMessage(await map(payload, variables));
});
port.postMessage('ready');

async function map(payload: string, variables: Record<string, unknown>): Promise<MappingAnswer> {
	let input: unknown;
	try {
		input = JSON.parse(payload);
	} catch {
		return { notJson: true };
	}
	try {
		return { json: JSON.stringify(await expression.evaluate(input, variables), withoutFunctions) };
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
