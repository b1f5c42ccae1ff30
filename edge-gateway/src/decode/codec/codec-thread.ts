/** Worker thread of the codecs' sandbox, so that a slow codec does not stall the sockets. */
import { parentPort } from 'node:worker_threads';
import type { CodecFile } from './codec-file.ts';
import { type CodecInput, Sandbox } from './sandbox.ts';

/** A message for a codec; without `input`, the codec is only tried. */
export interface CodecTask {
	codec: CodecFile;
	input?: CodecInput | undefined;
}

const port = parentPort!;
const sandbox = new Sandbox();

port.on('message', async ({ codec, input }: CodecTask) => port.postMessage(await sandbox.run(codec, input)));
port.postMessage('ready');
