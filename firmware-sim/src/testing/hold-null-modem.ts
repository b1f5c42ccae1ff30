import { createNullModem } from '../null-modem.ts';

/** Run as a process: opens a null modem in the folder given as argument, reports it, and waits to be killed. */
const modem = await createNullModem({ dir: process.argv[2]! });
process.send?.({ a: modem.a, b: modem.b });
setInterval(() => {}, 60_000);
