/** The thread in which a mapping is evaluated: whatever it does, the sockets are elsewhere. */
import { parentPort, workerData } from 'node:worker_threads';
import jsonata from 'jsonata';
import { asMistake, type MappingMistake } from './jsonata-mapping.ts';

export interface MappingData {
	mapping: string;
	/** Bounds within which JSONata itself stops, with a reason. */
	options: { timeout: number; stack: number; sequence: number };
}
/** A message to map: its payload as JSON, and what the mapping knows as variables. */
export interface MappingTask {
	payload: string;
	variables: Record<string, unknown>;
}
/** The result as JSON, undefined where there is none; or what went wrong. */
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
		return { mistake: asMistake(error, mapping) };
	}
}

/** What JSONata makes of `function($x){…}` is an object that leads back to itself. */
function withoutFunctions(_key: string, value: unknown): unknown {
	const isFunction =
		typeof value === 'object' && value !== null && ('_jsonata_lambda' in value || '_jsonata_function' in value);
	return isFunction ? undefined : value;
}
