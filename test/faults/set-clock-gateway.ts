/**
 * A program, by default the gateway, on a machine whose wall clock is wrong by as many milliseconds as the file
 * CLOCK_ERROR_FILE says at the moment. What it goes by is then told in a file beside it, `.seen`.
 */
import { readFileSync, writeFileSync } from 'node:fs';

const path = process.env.CLOCK_ERROR_FILE!;
const read = () => Number(readFileSync(path, 'utf8'));
const now = Date.now;
let error = read();
setInterval(() => {
	const wanted = read() || error;
	if (wanted === error) return;
	error = wanted;
	writeFileSync(`${path}.seen`, String(error));
}, 10).unref();
Date.now = () => now() + error;

await import(process.env.CLOCK_ENTRY ?? '../../edge-gateway/src/main.ts');
